/** The work of `cutlayer client check`. */
import { stdout } from '../../../../src/files/output.js';
import type { GivenOptions } from '../../../../src/options/command-options.js';
import { explainText } from '../../../../src/options/explain.js';
import { connectionOptions } from '../connection-options.js';
import { interruptible } from '../progress.js';
import { allRight, checkConnection } from './check-connection.js';
import type { CheckFlags } from './check-options.js';
import { findingLines } from './check-text.js';
import { connectionOf } from './checked-connection.js';

/** Prints where the connection's options come from, and the findings. */
export async function runCheck(flags: CheckFlags, options: GivenOptions): Promise<void> {
  await interruptible(async (signal) => {
    const findings = await checkConnection(connectionOf(flags), signal);
    if (flags.json) stdout.json({ ok: allRight(findings), gateway: flags.gateway, bundle: flags.bundle, checks: findings });
    else {
      const { bundle, gateway, ca, tokenFile, clientCert, clientKey } = connectionOptions;
      stdout.text(`${explainText({ bundle, gateway, ca, tokenFile, clientCert, clientKey }, options)}\n`);
      for (const line of findingLines(findings)) stdout.line(line);
    }
    if (!allRight(findings)) process.exitCode = 1;
  });
}
