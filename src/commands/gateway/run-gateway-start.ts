/** The work of `cutlayer gateway start`. */

import { stdout } from '../../files/output.js';
import { checkGateway } from '../../gateway/check.js';
import { checkGatewayConfig, type GatewayConfig } from '../../gateway/config.js';
import { type RunningGateway, runGateway } from '../../gateway/run.js';
import { serve } from '../serve.js';

/** Serves until SIGTERM or SIGINT, or with `check` says that it could. @throws CutlayerError */
export async function runGatewayStart(config: GatewayConfig, { check }: { readonly check: boolean }): Promise<void> {
  checkGatewayConfig(config);
  if (check) {
    await checkGateway(config);
    stdout.line('configuration is valid');
    return;
  }
  await serve(
    config.logLevel,
    (log) => runGateway(config, log),
    (running) => readyLine(running, config),
  );
}

function readyLine({ listen, admin, caFile, model, backboneDigest }: RunningGateway, { json, insecure }: GatewayConfig): string {
  if (json)
    return JSON.stringify({
      event: 'ready',
      listen,
      admin,
      tls: !insecure,
      caFile: caFile ?? null,
      model,
      backboneDigest,
      pid: process.pid,
    });
  return `ready: ${model} on ${listen}${insecure ? ' without TLS' : ''}, admin on http://${admin}${caFile ? `, clients trust ${caFile}` : ''}`;
}
