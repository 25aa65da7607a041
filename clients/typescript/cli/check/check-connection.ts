/** Checks all that a command needs before it can call a gateway. No check throws: it fails. */
import { type ClientBundleArtifact, loadClientBundle } from '../../../../src/artifacts/store.js';
import type { CheckedConnection } from './checked-connection.js';
import { type Finding, failed, ok, skipped } from './finding.js';
import { modelFindings, unknown } from './model-findings.js';
import { serverFindings } from './server-findings.js';
import { tokenFinding } from './token-finding.js';

/** Runs every check that can be run. @param now Milliseconds since 1970. */
export async function checkConnection(flags: CheckedConnection, signal: AbortSignal, now = Date.now): Promise<readonly Finding[]> {
  let artifact: ClientBundleArtifact | undefined;
  let bundle: Finding;
  try {
    artifact = await loadClientBundle(flags.bundle, { verify: flags.verify, signer: flags.signer, signal });
    const { name, cut } = artifact.manifest;
    bundle = ok('bundle', `${artifact.dir}: ${name}, cut at ${cut.bottom} and ${cut.top}${flags.verify ? ', every digest right' : ''}`);
  } catch (caught) {
    bundle = failed('bundle', caught);
  }
  const server = await serverFindings(flags, signal, now);
  const token = await tokenFinding(flags, now());
  const unreached = server.some(({ name, state }) => (name === 'address' || name === 'certificate') && state === 'fail');
  const cannotAsk = unreached
    ? 'not asked: the server is not reached, or not trusted'
    : token.code === 'TOKEN_MISSING'
      ? 'not asked: there is no token'
      : undefined;
  const model =
    cannotAsk === undefined ? await modelFindings(flags, artifact, signal, now()) : [skipped('access', cannotAsk), ...unknown(cannotAsk)];
  return [bundle, ...server, token, ...model];
}

/** Whether no check failed. */
export const allRight = (findings: readonly Finding[]): boolean => findings.every(({ state }) => state !== 'fail');
