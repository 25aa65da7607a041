/**
 * What is charged, and what makes a charge the same one (docs/metering.md). A charge has a key: the
 * work that it is for. The ledger counts a key once, whatever is repeated.
 */
import { createHash } from 'node:crypto';
import type { SpanKind } from '../../artifacts/manifest.js';

/** What is counted, in rows, bytes and calls. */
export const amountNames = ['forward', 'backward', 'decoded', 'cached', 'bytesIn', 'bytesOut', 'calls'] as const;

/** Counts of work: whole numbers. */
export type Amounts = Readonly<Record<(typeof amountNames)[number], number>>;

/** No work. */
export const nothing: Amounts = { forward: 0, backward: 0, decoded: 0, cached: 0, bytesIn: 0, bytesOut: 0, calls: 0 };

/** The sum of counts. */
export function sumAmounts(all: Iterable<Partial<Amounts>>): Amounts {
  const sum: { -readonly [Name in keyof Amounts]: number } = { ...nothing };
  for (const amounts of all) for (const name of amountNames) sum[name] += amounts[name] ?? 0;
  return sum;
}

/** The kinds of work that have keys of their own. */
export type ChargeKind = 'forward' | 'backward' | 'keyValues' | 'decode';

/** The key of a charge, unique within its tenant. */
export interface ChargeKey {
  readonly tenant: string;
  readonly kind: ChargeKind;
  /** The id that the client chose: of a step or of a decode session. */
  readonly id: string;
  /** What was computed under the id: a digest, or the number of a session's entry. */
  readonly part: string;
}

/** Work to be charged. */
export interface Charge extends ChargeKey {
  /** sha256 of the backbone's manifest, hex. */
  readonly model: string;
  readonly modelName: string;
  readonly adapter: SpanKind;
  readonly amounts: Partial<Amounts>;
  /** Digests of a decode session's rows; see session-usage.ts. */
  readonly content?: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The key as one text. */
export const keyText = ({ tenant, kind, id, part }: ChargeKey): string => `${tenant} ${kind} ${id} ${part}`;

/** Bytes of a digest in a key: enough that no caller finds two inputs with the same one. */
export const DIGEST_BYTES = 16;

/** A digest of what was computed, for a key. */
export function partOf(...texts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest().subarray(0, DIGEST_BYTES).toString('hex');
}
