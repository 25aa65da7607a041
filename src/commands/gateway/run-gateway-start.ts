/** The work of `cutlayer gateway start`. */

import { exposureNote } from '../../artifacts/exposure.js';
import { stdout } from '../../files/output.js';
import { checkGateway } from '../../gateway/check.js';
import { checkGatewayConfig, type GatewayConfig } from '../../gateway/config.js';
import { type RunningGateway, runGateway } from '../../gateway/run.js';
import { nodeFault } from '../../server/node-version.js';
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
    (running) => readyLines(running, config),
  );
}

/** The first line says that it answers; the second, at the default cut, what that cut means. */
export function readyLines(running: RunningGateway, { json, insecure }: GatewayConfig): readonly string[] {
  const { listen, admin, adminTls, caFile, model, backboneDigest, engine } = running;
  const note = exposureNote(engine.artifact.manifest.cut.bottom);
  if (json) {
    const ready = {
      event: 'ready',
      listen,
      admin,
      adminTls,
      tls: !insecure,
      caFile: caFile ?? null,
      model,
      backboneDigest,
      pid: process.pid,
      unpatchedNode: nodeFault().unpatched,
      ...(note === undefined ? {} : { note }),
    };
    return [JSON.stringify(ready)];
  }
  const trust = caFile ? `, clients trust ${caFile}` : '';
  return [
    `ready: ${model} on ${listen}${insecure ? ' without TLS' : ''}, admin on ${adminTls ? 'https' : 'http'}://${admin}${trust}`,
    ...(note === undefined ? [] : [note]),
  ];
}
