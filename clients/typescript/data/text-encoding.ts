/**
 * Encodes a text, and finds the token that holds a character. The Rust tokenizers say it by
 * offsets, which the package's tokenizer does not give.
 */
import * as tokenizers from '@huggingface/tokenizers';
import { type AddedToken, AddedTokens } from './added-tokens.js';
import { byteOf, bytesAsCharacters } from './byte-characters.js';
import { Charsmap } from './charsmap.js';
import { type PackagePreTokenizer, type Piece, PreTokenizer, type PreTokenizerConfig } from './pre-tokenizer.js';
import type { TokenSource } from './token-bytes.js';

/** What of a parsed tokenizer.json is read here. */
export interface TokenizerJson {
  readonly added_tokens?: readonly AddedToken[];
  readonly pre_tokenizer?: PreTokenizerConfig | null;
  readonly decoder?: DecoderConfig | null;
}

interface DecoderConfig {
  readonly type?: string;
  readonly decoders?: readonly DecoderConfig[];
}

/** A text's ids and the asked characters' tokens. */
export interface Encoded {
  readonly ids: readonly number[];
  /** For each asked character the index of its token, or of the next one where it has none. */
  readonly tokenOf: readonly number[];
}

/** The package's model: pieces in, tokens out. */
interface Model {
  (pieces: readonly string[]): readonly string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id?: number;
  readonly unk_token?: string;
  readonly byte_fallback?: boolean;
}

/** A normalizer of the package; a sequence has others. */
interface PackageNormalizer {
  (text: string): string;
  readonly config: { readonly type?: unknown; readonly precompiled_charsmap?: unknown };
  readonly normalizers?: readonly (PackageNormalizer | null)[];
  normalize: (text: string) => string;
}

/** The part of the package's tokenizer in use; its own types do not resolve under NodeNext. */
interface PackageTokenizer {
  readonly normalizer: PackageNormalizer | null;
  readonly pre_tokenizer: PackagePreTokenizer | null;
  readonly model: Model;
  readonly post_processor: ((tokens: readonly string[], pair: null, special: boolean) => { readonly tokens: readonly string[] }) | null;
  decode(ids: number[], options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
}

const { Tokenizer } = tokenizers as unknown as { readonly Tokenizer: new (tokenizerJson: object, config: object) => PackageTokenizer };

export class TextEncoding {
  readonly #tokenizer: PackageTokenizer;
  readonly #preTokenizer: PreTokenizer;
  readonly #json: TokenizerJson;
  readonly #inText: AddedTokens;
  readonly #inNormalized: AddedTokens;
  readonly #added: ReadonlyMap<number, string>;
  /** Made when it is first asked for. */
  #byId: ReadonlyMap<number, string> | undefined;

  /** @throws Error what the package throws for a file that it cannot read */
  constructor(json: TokenizerJson & object, config: object) {
    this.#json = json;
    this.#tokenizer = new Tokenizer(json, config);
    const { normalizer, pre_tokenizer: made } = this.#tokenizer;
    readCharsmaps(normalizer);
    this.#preTokenizer = new PreTokenizer(json.pre_tokenizer, made);
    const inText = new Map<string, AddedToken>();
    const inNormalized = new Map<string, AddedToken>();
    for (const token of json.added_tokens ?? []) {
      if (token.normalized ?? token.special !== true) inNormalized.set(normalizer?.(token.content) ?? token.content, token);
      else inText.set(token.content, token);
    }
    this.#added = new Map(json.added_tokens?.map(({ id, content }) => [id, content]));
    this.#inText = new AddedTokens(inText);
    this.#inNormalized = new AddedTokens(inNormalized);
  }

  /** @param characters Indexes of characters whose tokens are wanted, or the text's length. */
  encode(text: string, characters: readonly number[] = []): Encoded {
    const ids: number[] = [];
    const tokenOf = new Array<number | undefined>(characters.length).fill(undefined);
    for (const { start, end, id } of this.#inText.split(text)) {
      const asked = characters.flatMap((at, index) => (start <= at && at < end ? [{ index, at: at - start }] : []));
      const own = id === undefined ? this.#section(text.slice(start, end), start === 0, asked) : { ids: [id], tokenOf: asked.map(() => 0) };
      asked.forEach(({ index }, which) => {
        tokenOf[index] = ids.length + own.tokenOf[which]!;
      });
      for (const one of own.ids) ids.push(one);
    }
    return { ids, tokenOf: tokenOf.map((index) => index ?? ids.length) };
  }

  /** The highest id of any token. */
  highest(): { readonly id: number; readonly token: string } {
    let highest = { id: -1, token: '' };
    for (const [token, id] of this.#tokenizer.model.tokens_to_ids) if (id > highest.id) highest = { id, token };
    return highest;
  }

  /** The ids that the post-processor puts before a text. */
  leading(): readonly number[] {
    const { post_processor, model } = this.#tokenizer;
    const mark = '\u{F0000}';
    const tokens = post_processor?.([mark], null, true).tokens ?? [];
    return tokens.slice(0, Math.max(0, tokens.indexOf(mark))).map((token) => model.tokens_to_ids.get(token) ?? -1);
  }

  decode(ids: readonly number[]): string {
    return this.#tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  /** What the text of each token is found from. */
  tokenSource(): TokenSource {
    return {
      tokens: this.#tokenizer.model.tokens_to_ids,
      added: new Set((this.#json.added_tokens ?? []).map(({ content }) => content)),
      decoders: decoderTypes(this.#json.decoder),
      decode: (ids) => this.decode(ids),
    };
  }

  idOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }

  /**
   * The bytes of a token by itself; none for an id without a token. Where words begin with U+2581,
   * that is a space.
   */
  bytesOfId(id: number): Uint8Array {
    const added = this.#added.get(id);
    if (added !== undefined) return new TextEncoder().encode(added);
    this.#byId ??= new Map([...this.#tokenizer.model.tokens_to_ids].map(([token, own]) => [own, token]));
    const token = this.#byId.get(id) ?? '';
    const spaced = this.#preTokenizer.bytes ? token : token.replaceAll('\u2581', ' ');
    // A copy: a buffer's memory is shared.
    return Uint8Array.from(this.#bytesOf(spaced) ?? Buffer.from(spaced));
  }

  /** Text between added tokens of the text: normalized, then cut at those of normalized text. */
  #section(raw: string, atStart: boolean, asked: readonly { readonly at: number }[]): Encoded {
    const { normalizer } = this.#tokenizer;
    const normalize = (text: string): string => normalizer?.(text) ?? text;
    const text = normalize(raw);
    const places = asked.map(({ at }) => (at === 0 ? 0 : normalizer === null ? at : commonPrefix(text, normalize(raw.slice(0, at)))));
    const ids: number[] = [];
    const tokenOf = new Array<number | undefined>(places.length).fill(undefined);
    for (const { start, end, id } of this.#inNormalized.split(text)) {
      if (id !== undefined) {
        places.forEach((place, which) => {
          if (start <= place && place < end) tokenOf[which] = ids.length;
        });
        ids.push(id);
        continue;
      }
      for (const piece of this.#preTokenizer.pieces(text.slice(start, end), atStart && start === 0)) {
        const tokens = this.#encodePiece(piece);
        // What was put before the text belongs to its first character.
        const length = Math.max(piece.text.length - piece.lead, piece.lead > 0 ? 1 : 0);
        places.forEach((place, which) => {
          const at = place - start - piece.start;
          if (tokenOf[which] === undefined && place < end && at < length) tokenOf[which] = ids.length + this.#tokenAt(piece, tokens, at);
        });
        for (const token of tokens) ids.push(this.#idOfToken(token));
      }
    }
    return { ids, tokenOf: tokenOf.map((index) => index ?? ids.length) };
  }

  #encodePiece({ text }: Piece): readonly string[] {
    return this.#tokenizer.model([this.#preTokenizer.bytes ? bytesAsCharacters(text) : text]);
  }

  #idOfToken(token: string): number {
    const { model } = this.#tokenizer;
    return model.tokens_to_ids.get(token) ?? model.unk_token_id ?? -1;
  }

  /** The index of the token with the piece's own character `at`; the first has the first. */
  #tokenAt(piece: Piece, tokens: readonly string[], at: number): number {
    if (at <= 0) return 0;
    const bytes = Buffer.from(piece.text);
    const wanted = Buffer.byteLength(piece.text.slice(0, piece.lead + at));
    let cursor = 0;
    for (const [index, token] of tokens.entries()) {
      const own = this.#bytesOf(token);
      const next = tokens[index + 1];
      const found = own === undefined ? cursor : bytes.indexOf(own, cursor);
      if (found >= 0) cursor = found;
      if (own !== undefined) cursor += own.length;
      else {
        const after = next === undefined ? -1 : bytes.indexOf(this.#bytesOf(next) ?? '', cursor + 1);
        cursor = after < 0 ? bytes.length : after;
      }
      if (wanted < cursor) return index;
    }
    return tokens.length;
  }

  /** The bytes that a token stands for; undefined for the unknown token. */
  #bytesOf(token: string): Buffer | undefined {
    const { model } = this.#tokenizer;
    if (this.#preTokenizer.bytes) return Buffer.from(Array.from(token, (character) => byteOf.get(character) ?? 0));
    const fallback = model.byte_fallback === true ? /^<0x([0-9A-F]{2})>$/.exec(token) : null;
    if (fallback !== null) return Buffer.of(Number.parseInt(fallback[1]!, 16));
    return token === model.unk_token ? undefined : Buffer.from(token);
  }
}

/** The package does not read the map of a Precompiled normalizer, at any depth of sequences. */
function readCharsmaps(normalizer: PackageNormalizer | null): void {
  for (const part of normalizer?.normalizers ?? []) readCharsmaps(part);
  if (normalizer?.config.type !== 'Precompiled') return;
  const charsmap = new Charsmap(normalizer.config.precompiled_charsmap);
  normalizer.normalize = (text) => charsmap.normalize(text);
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}

/** The type of a decoder, and of those inside of it. */
function decoderTypes(decoder: DecoderConfig | null | undefined): readonly string[] {
  if (decoder == null) return [];
  return [...(decoder.type === undefined ? [] : [decoder.type]), ...(decoder.decoders ?? []).flatMap(decoderTypes)];
}
