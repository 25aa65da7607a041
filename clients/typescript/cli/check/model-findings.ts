/** Checks of what the gateway serves, against the bundle and the flags. */
import type { ClientBundleArtifact } from '../../../../src/artifacts/store.js';
import { CutlayerError } from '../../../../src/errors.js';
import { byteText } from '../../../../src/files/byte-text.js';
import type { WireDType } from '../../../../src/protocol/wire/wire-dtype.js';
import { type Connection, connect } from '../../connection/connect.js';
import { checkBundle, checkWireDType, type ServedModel } from '../../connection/served-model.js';
import { shutdownOf } from '../../connection/shutdown.js';
import { attestationOf } from '../attestation-policy.js';
import { attestationText } from '../privacy-statement.js';
import { wireNote } from '../wire-range.js';
import type { CheckedConnection } from './checked-connection.js';
import { type CheckName, type Finding, failed, ok, skipped } from './finding.js';
import { protectionText } from './protection-text.js';

/** A gateway that answered the probe answers a call soon, or not at all. */
const RETRY_FOR_MS = 3000;

const judged = (name: CheckName, says: string, check: () => void): Finding => {
  try {
    check();
    return ok(name, says);
  } catch (caught) {
    return failed(name, caught);
  }
};

/**
 * Asks for the model card with the token, and compares.
 * @param bundle Undefined when it cannot be read.
 * @param now Milliseconds since 1970.
 */
export async function modelFindings(
  flags: CheckedConnection,
  bundle: ClientBundleArtifact | undefined,
  signal: AbortSignal,
  now: number,
): Promise<readonly Finding[]> {
  let connection: Connection;
  try {
    connection = await connect({
      address: flags.gateway,
      ca: flags.ca,
      ...flags.token(),
      clientCert: flags.clientCert,
      clientKey: flags.clientKey,
      insecure: flags.insecure,
      attestation: await attestationOf(flags.attestationPolicy),
      deadlineMs: flags.deadline * 1000,
      retry: { retryForMs: RETRY_FOR_MS },
      signal,
    });
  } catch (caught) {
    if (CutlayerError.from(caught).code.startsWith('ATTESTATION_')) {
      const why = 'not asked: the gateway is not attested';
      return [failed('attestation', caught), skipped('access', why), ...unknown(why)];
    }
    return [failed('access', caught), ...unknown('the gateway did not give its model card')];
  }
  connection.close();
  const { card, attested } = connection;
  return [
    ...(attested === undefined ? [] : [ok('attestation', attestationText(attested))]),
    ok('access', `the gateway takes the token, and serves ${card.name} (${card.family})`),
    backboneFinding(card, bundle, flags.gateway, now),
    ok('limits', limitsText(card)),
    ok('protection', protectionText(card.protection)),
    wireFinding(card, bundle, flags.wire),
  ];
}

/** The checks that need the model card. */
export const unknown = (why: string): readonly Finding[] =>
  (['backbone', 'limits', 'protection', 'wire'] as const).map((name) => skipped(name, why));

function wireFinding(card: ServedModel, bundle: ClientBundleArtifact | undefined, wire: WireDType): Finding {
  try {
    checkWireDType(card, wire);
    const note = bundle === undefined ? undefined : wireNote(bundle.manifest, wire);
    return ok('wire', note ?? `${wire}, of ${card.wireDtypes.join(', ')}`);
  } catch (caught) {
    return failed('wire', caught);
  }
}

function backboneFinding(card: ServedModel, bundle: ClientBundleArtifact | undefined, address: string, now: number): Finding {
  if (bundle === undefined) return skipped('backbone', 'the bundle cannot be read');
  const { dir, manifest } = bundle;
  const shutdown = shutdownOf(card, now);
  const until = shutdown === undefined ? '' : `; ${shutdown.says}`;
  return judged('backbone', `the bundle fits backbone ${card.backboneDigest.slice(0, 12)}${until}`, () =>
    checkBundle(card, { dir, backboneDigest: manifest.backboneDigest, dims: manifest.dims, cut: manifest.cut }, address),
  );
}

function limitsText({ limits, dims }: ServedModel): string {
  const { maxBatch, maxTokens, maxVirtualTokens, maxMessageBytes, maxDeadlineMs } = limits;
  return (
    `a step: ${maxBatch} sequences, ${maxTokens} rows, ${maxVirtualTokens} virtual tokens, ${dims.maxPositions} positions; ` +
    `a message: ${byteText(maxMessageBytes)}; a call: ${maxDeadlineMs / 1000} s`
  );
}
