/**
 * The exact bytes of each token in a text: what decoding gives, checked against decoding itself. A
 * token whose text depends on its neighbours, or that has none, has no bytes.
 */
import { CutlayerError } from '../../../src/errors.js';
import { byteOf } from './byte-characters.js';

/** Bytes of all tokens, one after another. */
export interface TokenBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of each id up to the highest: where its bytes end, and the next one's begin. */
  readonly ends: Uint32Array<ArrayBuffer>;
  /** Whether decoding drops a space at the very beginning of a text. */
  readonly dropsFirstSpace: boolean;
}

/** One token's bytes; none of a token that has no exact ones. */
export function bytesOfToken({ bytes, ends }: TokenBytes, id: number): Uint8Array {
  return id < ends.length ? bytes.subarray(id === 0 ? 0 : ends[id - 1]!, ends[id]!) : new Uint8Array();
}

/** A tokenizer as its files have it. */
export interface TokenSource {
  readonly tokens: ReadonlyMap<string, number>;
  /** Tokens that stand for their own text, whatever the decoder does. */
  readonly added: ReadonlySet<string>;
  /** The type of the decoder, and those inside of a sequence. */
  readonly decoders: readonly string[];
  decode(ids: readonly number[]): string;
}

/** Share of the tokens with text that may lack exact bytes. */
const MOST_INEXACT = 0.02;
/** Tokens that are decoded together. */
const TOGETHER = 128;

/** A token and its bytes. */
type Claim = readonly [id: number, bytes: Buffer];

/** @throws CutlayerError INVALID_ARTIFACT: a decoder whose tokens have no text of their own */
export function tokenBytes(source: TokenSource): TokenBytes {
  const { decode } = source;
  const claims = claimedBytes(source);
  const word = claims.find(([id, bytes]) => /^[A-Za-z0-9]+$/.test(String(bytes)) && decode([id]) === String(bytes));
  if (word === undefined) throw unservable(source, 'no token decodes to its own text');
  const dropsFirstSpace = claims.some(([id, bytes]) => /^ [A-Za-z0-9]/.test(String(bytes)) && decode([id]) === String(bytes).slice(1));
  const atStart = ([id, bytes]: Claim): boolean =>
    !String(bytes).startsWith(' ') || decode([id]) === String(bytes).slice(dropsFirstSpace ? 1 : 0);
  const exact: Claim[] = [];
  let inexact = 0;
  for (let from = 0; from < claims.length; from += TOGETHER) {
    const group = claims.slice(from, from + TOGETHER);
    if (amongWords(decode, word, group) && group.every(atStart)) exact.push(...group);
    else
      for (const claim of group) {
        if (amongWords(decode, word, [claim]) && atStart(claim)) exact.push(claim);
        else if (decode([word[0], claim[0]]) !== String(word[1])) inexact++;
      }
  }
  if (inexact > MOST_INEXACT * (exact.length + inexact))
    throw unservable(source, `${inexact} of ${exact.length + inexact} tokens decode to other texts than their own`);
  return joined(exact, dropsFirstSpace);
}

const unservable = ({ decoders }: TokenSource, why: string): CutlayerError =>
  new CutlayerError(
    'INVALID_ARTIFACT',
    `tokenizer.json: a constraint needs the exact text of each token, and decoder ${decoders.join(', ') || 'none'} does not give it (${why}); generate without a constraint`,
  );

/** What tokens say of themselves. */
function claimedBytes({ tokens, added, decoders }: TokenSource): readonly Claim[] {
  const byteFallback = decoders.includes('ByteFallback');
  const bytesOf = (token: string): Buffer | undefined => {
    if (added.has(token)) return Buffer.from(token);
    const byte = byteFallback ? /^<0x([0-9A-F]{2})>$/.exec(token) : null;
    if (byte !== null) return Buffer.of(Number.parseInt(byte[1]!, 16));
    if (!decoders.includes('ByteLevel')) return Buffer.from(token.replaceAll('\u2581', ' '));
    const bytes = Array.from(token, (character) => byteOf.get(character) ?? -1);
    return bytes.includes(-1) ? undefined : Buffer.from(bytes);
  };
  return [...tokens].flatMap(([token, id]): Claim[] => {
    const bytes = bytesOf(token);
    return bytes === undefined || bytes.length === 0 ? [] : [[id, bytes]];
  });
}

/** Whether tokens decode to their bytes between words. */
function amongWords(decode: TokenSource['decode'], [word, text]: Claim, group: readonly Claim[]): boolean {
  return (
    decode([word, ...group.flatMap(([id]) => [id, word])]) === String(Buffer.concat([text, ...group.flatMap(([, bytes]) => [bytes, text])]))
  );
}

function joined(exact: readonly Claim[], dropsFirstSpace: boolean): TokenBytes {
  const byId = new Map(exact);
  const ends = new Uint32Array(exact.reduce((most, [id]) => Math.max(most, id + 1), 0));
  const bytes = new Uint8Array(exact.reduce((sum, [, { length }]) => sum + length, 0));
  let end = 0;
  for (let id = 0; id < ends.length; id++) {
    const own = byId.get(id);
    if (own !== undefined) bytes.set(own, end);
    end += own?.length ?? 0;
    ends[id] = end;
  }
  return { bytes, ends, dropsFirstSpace };
}
