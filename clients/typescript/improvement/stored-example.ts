/** An example as it is stored, and which of the stored ones count. */
import { z } from 'zod';
import { isHeldOut } from '../intake/held-out.js';

/** Where an example came from. */
export const exampleOrigins = ['data', 'heldOut', 'port', 'feedback'] as const;

const schema = z.object({
  /** The record as JSON, in a form that `client train` reads. */
  record: z.string(),
  /** sha256 of its content, hex: equal contents are one example. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** `heldOut`: of the file of held-out examples. */
  origin: z.enum(exampleOrigins),
  /** Milliseconds since 1970. */
  at: z.number(),
  /** Feedback: the id of the completion; a later line with the same one replaces this. */
  id: z.string().optional(),
  /** Feedback: 1 to 5. */
  rating: z.int().min(1).max(5).optional(),
});

export type StoredExample = z.output<typeof schema>;

/** A stored example and its place in the order of arrival. */
export interface ArrivedExample extends StoredExample {
  readonly ordinal: number;
}

/** @throws ZodError, SyntaxError */
export function parseStoredExample(text: string): StoredExample {
  return schema.parse(JSON.parse(text));
}

/** How stored examples are parted. */
export interface Parting {
  /** Share that is held out, by digest. */
  readonly heldOutShare: number;
  readonly minRating: number;
}

/** The examples that count, in the order of arrival. */
export interface Parted {
  readonly training: readonly ArrivedExample[];
  /** Never trained on. */
  readonly heldOut: readonly ArrivedExample[];
}

/**
 * Parts what had arrived before `upTo`. Of lines with one content, or about one completion, the
 * last counts; feedback with a lower rating counts for nothing. An example never changes sides.
 */
export function part(examples: readonly StoredExample[], upTo: number, { heldOutShare, minRating }: Parting): Parted {
  const last = new Map<string, number>();
  const heldOutDigests = new Set<string>();
  for (let ordinal = 0; ordinal < upTo; ordinal++) {
    const { digest, id, origin } = examples[ordinal]!;
    // A content that comes again keeps its place; another verdict on it takes the new one.
    const key = `digest ${digest}`;
    const before = last.get(key);
    if (before === undefined || examples[before]!.rating !== examples[ordinal]!.rating) last.set(key, ordinal);
    if (id !== undefined) last.set(`id ${id}`, ordinal);
    if (origin === 'heldOut') heldOutDigests.add(digest);
  }
  const [training, heldOut]: [ArrivedExample[], ArrivedExample[]] = [[], []];
  for (let ordinal = 0; ordinal < upTo; ordinal++) {
    const example = examples[ordinal]!;
    const { digest, id, rating } = example;
    if (last.get(`digest ${digest}`) !== ordinal || (id !== undefined && last.get(`id ${id}`) !== ordinal)) continue;
    if (rating !== undefined && rating < minRating) continue;
    const held = heldOutDigests.has(digest) || isHeldOut(Buffer.from(digest, 'hex').toString('latin1'), heldOutShare);
    (held ? heldOut : training).push({ ...example, ordinal });
  }
  return { training, heldOut };
}
