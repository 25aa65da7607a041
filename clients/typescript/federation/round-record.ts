/**
 * The round under way, written down before anything of it is said. A participant that is killed and started again finds here what it has said already, and
 * says the same bytes or nothing: two answers to one question could take the masks off its update.
 */
import { z } from 'zod';
import type { Enlistment } from '../../../src/protocol/federation/enlistment.js';
import { enlistmentCodec } from '../../../src/protocol/federation/message-codec.js';
import { brokenFile, readJson, type StateStore } from './state-store.js';

/** The file's name. */
export const ROUND_FILE = 'round.json';
/** The bytes that were, or are about to be, submitted. */
export const PAYLOAD_FILE = 'round-payload.bin';

/** A message of the federation service, in base64. */
const enlistment = z.base64().transform((text, context) => {
  try {
    return enlistmentCodec.decode(Buffer.from(text, 'base64'));
  } catch (error) {
    context.addIssue(String(error));
    return z.NEVER;
  }
});

const schema = z.strictObject({
  formatVersion: z.literal(2),
  round: z.int().min(1),
  active: z
    .strictObject({
      purpose: z.enum(['train', 'evaluate']),
      version: z.int().min(0),
      promoted: z.int().min(0),
      clipNorm: z.number().nullable(),
      enlistment,
      cohort: z.int().min(1).nullable(),
      secagg: z.unknown(),
      payloadDigest: z.string().nullable(),
    })
    .nullable(),
});

/** What this member has said in a round that goes on. */
export interface ActiveRound {
  readonly purpose: 'train' | 'evaluate';
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
   * State of the round's SecAggClient, secrets included; null without secure aggregation. Its answers follow from it to the last byte, so they are not
   * kept beside it.
   */
  readonly secagg?: unknown;
  /** sha256 of {@link PAYLOAD_FILE} once that is this round's, hex: these bytes are submitted, and no others. */
  readonly payloadDigest: string | null;
}

/** The newest round that this member has begun; it begins neither this one nor an earlier one again. */
export interface RoundRecord {
  readonly round: number;
  /** Null: the round is over for this member, and its secrets are gone. */
  readonly active: ActiveRound | null;
}

/** Undefined before the first round. @throws CutlayerError IO_ERROR when the file is broken */
export async function readRound(state: StateStore): Promise<RoundRecord | undefined> {
  const json = await readJson(state, ROUND_FILE);
  if (json === undefined) return undefined;
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw brokenFile(state, ROUND_FILE, parsed.error);
  return parsed.data;
}

/** Writes the round, durably. */
export async function writeRound(state: StateStore, record: RoundRecord): Promise<void> {
  const { round, active } = record;
  const enlistment = active && Buffer.from(enlistmentCodec.encode(active.enlistment)).toString('base64');
  await state.write(ROUND_FILE, JSON.stringify({ formatVersion: 2, round, active: active && { ...active, enlistment } }));
}
