/**
 * The round under way, written down before anything of it is said. A participant that is started
 * again finds here what it has said, and says the same bytes or nothing. Two answers to one
 * question could take the masks off its update.
 */
import type { Enlistment, RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import { enlistmentCodec } from '../../../src/protocol/federation/message-codec.js';
import { brokenRow } from './member-file.js';
import type { ColumnValue, MemberStore } from './member-store.js';

/** The large value with the bytes that were, or are about to be, submitted. */
export const PAYLOAD = 'payload';

/** What this member has said in a round that goes on. */
export interface ActiveRound {
  readonly purpose: RoundPurpose;
  /** To train from, or to measure. */
  readonly version: number;
  /** What a measured version is compared with. */
  readonly promoted: number;
  readonly clipNorm: number | null;
  /** As it was sent. */
  readonly enlistment: Enlistment;
  /** Members of the cohort, once it has been accepted. */
  readonly cohort: number | null;
  /**
   * State of the round's SecAggClient with its secrets; null without secure aggregation. Its
   * answers follow from it to the last byte, so they are not kept.
   */
  readonly secagg: unknown;
  /** sha256 of `PAYLOAD`, hex, once committed to: these bytes are submitted, no others. */
  readonly payloadDigest: string | null;
}

/** The newest round that this member has begun; neither it nor an earlier one begins again. */
export interface RoundRecord {
  readonly round: number;
  /** Null: the round is over for this member, and its secrets are gone. */
  readonly active: ActiveRound | null;
}

/** A row; without an enlistment all but `round` is null. */
type RoundRow = Omit<ActiveRound, 'enlistment' | 'secagg'> & {
  readonly round: number;
  readonly enlistment: Uint8Array | null;
  readonly secagg: string | null;
};

/** Undefined before the first round. @throws CutlayerError STORE_CORRUPT */
export function readRound(state: MemberStore): RoundRecord | undefined {
  const row = state.get<RoundRow>(
    'SELECT round, purpose, version, promoted, clip_norm AS clipNorm, enlistment, cohort, secagg, payload_digest AS payloadDigest FROM round',
  );
  if (row === undefined) return undefined;
  const { round, enlistment, secagg, ...rest } = row;
  if (enlistment === null) return { round, active: null };
  try {
    const said = { enlistment: enlistmentCodec.decode(enlistment), secagg: secagg === null ? null : (JSON.parse(secagg) as unknown) };
    return { round, active: { ...rest, ...said } };
  } catch (cause) {
    throw brokenRow('the round', cause);
  }
}

export function writeRound(state: MemberStore, { round, active }: RoundRecord): void {
  const said: readonly ColumnValue[] =
    active === null
      ? [null, null, null, null, null, null, null, null]
      : [
          active.purpose,
          active.version,
          active.promoted,
          active.clipNorm,
          enlistmentCodec.encode(active.enlistment),
          active.cohort,
          active.secagg === null ? null : JSON.stringify(active.secagg),
          active.payloadDigest,
        ];
  state.run('INSERT OR REPLACE INTO round VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)', round, ...said);
}
