/**
 * A participant's round as JSON, secrets included: for a file that only its owner can read. A
 * restarted process continues from it.
 */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import type { RoundSecrets } from './dealing.js';
import type { Advertisement, SealedShares } from './messages.js';
import type { Pins, SecAggRound } from './settings.js';

const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
const key = bytes.refine((value) => value.length === 32, 'expected 32 bytes');

const schema = z.object({
  version: z.literal(1),
  round: z.object({
    federation: z.string(),
    round: z.number(),
    bits: z.number(),
    length: z.number(),
    threshold: z.number(),
    minSurvivors: z.number(),
    minCohort: z.number(),
    maxCohort: z.number(),
    graph: z.object({ completeUpTo: z.number(), colluding: z.number(), dropout: z.number(), sigma: z.number() }),
  }),
  pins: z.object({ minCohort: z.number(), minThreshold: z.number(), minSurvivors: z.number(), lastRound: z.number() }),
  participant: z.string(),
  identityKey: key,
  secrets: z.object({ encryptionKey: key, maskKey: key, selfMask: key, polynomials: key }),
  refusal: z.string().optional(),
  context: key.optional(),
  cohort: z
    .array(
      z.object({
        participant: z.string(),
        encryptionKey: key,
        maskKey: key,
        selfMaskCommitment: key,
        context: key,
        signature: bytes,
        identityKey: key,
      }),
    )
    .optional(),
  masking: z.object({ inbox: z.array(z.object({ from: z.string(), to: z.string(), ciphertext: bytes })), inputDigest: key }).optional(),
  survivors: z.array(z.string()).optional(),
  confirmationsDigest: key.optional(),
});

/**
 * A member of the cohort: what it advertised, and the identity key under which the roster knows it.
 */
export interface Member extends Advertisement {
  readonly identityKey: Uint8Array;
}

/**
 * Everything that a client remembers: what it drew, and the input of every stage it has answered.
 */
export interface ClientMemory {
  readonly round: SecAggRound;
  readonly pins: Pins;
  readonly participant: string;
  /** Public. */
  readonly identityKey: Uint8Array;
  readonly secrets: RoundSecrets;
  /** The rule that ended the round for this client. */
  refusal?: string | undefined;
  /** Stage 1. */
  context?: Uint8Array | undefined;
  /** Stage 2; sorted by name. */
  cohort?: readonly Member[] | undefined;
  /** Stage 3: the inbox, sorted by sender, and the digest of the vector that was masked. */
  masking?: { readonly inbox: readonly SealedShares[]; readonly inputDigest: Uint8Array } | undefined;
  /** Stage 4; sorted. */
  survivors?: readonly string[] | undefined;
  /** Stage 5. */
  confirmationsDigest?: Uint8Array | undefined;
}

/** {@link ClientMemory} as JSON: bytes in base64. */
export type SecAggState = z.input<typeof schema>;

/** Writes a client's memory. */
export function encodeState(memory: ClientMemory): SecAggState {
  // The schema's input is the memory with every byte string in base64, which is what the
  // replacement does; the parse on reading checks it.
  return JSON.parse(JSON.stringify({ version: 1, ...memory }, base64Bytes)) as SecAggState;
}

/** Reads what {@link encodeState} wrote. @throws CutlayerError INVALID_CONFIG for anything else */
export function decodeState(state: unknown): ClientMemory {
  const parsed = schema.safeParse(state);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CutlayerError(
    'INVALID_CONFIG',
    `state of a secure-aggregation round: ${issue?.path.join('.')}: ${issue?.message}; begin the next round`,
  );
}

function base64Bytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
