/**
 * The normalizer `Precompiled` of tokenizer.json, as the Rust tokenizers compute it:
 * sentencepiece's map of characters, a trie of double arrays. The package has an approximation of
 * one map.
 * @see huggingface/tokenizers, normalizers/precompiled.rs; huggingface/spm_precompiled
 */

/** Bytes of a grapheme that is looked up as a whole; longer ones go by their characters. */
const MAX_WHOLE_BYTES = 5;

/**
 * UTF-16 units that are cut into graphemes at a time: the time of one cut grows with its square.
 */
const CUT_UNITS = 256;

/** Graphemes whose results are kept. */
const MAX_KEPT = 1 << 14;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

export class Charsmap {
  readonly #trie: Uint32Array;
  /** Texts that end with a NUL each. */
  readonly #texts: Buffer;
  readonly #kept = new Map<string, string>();

  /** @param encoded Base64: bytes of the trie, the trie, the texts. @throws Error */
  constructor(encoded: unknown) {
    const bytes = Buffer.from(typeof encoded === 'string' ? encoded : '', 'base64');
    const length = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
    if (length === 0 || length % 4 !== 0 || length > bytes.length - 4)
      throw new Error(`precompiled_charsmap: expected a trie and its texts, got ${bytes.length} bytes`);
    this.#trie = Uint32Array.from({ length: length / 4 }, (_, at) => bytes.readUInt32LE(4 + 4 * at));
    this.#texts = bytes.subarray(4 + length);
  }

  normalize(text: string): string {
    let normalized = '';
    for (let start = 0; start < text.length; ) {
      const end = endOfCut(text, start + CUT_UNITS);
      const cut = graphemesOf(text.slice(start, end));
      // The last one may go on behind the cut.
      if (end < text.length && cut.length > 1) cut.pop();
      for (const grapheme of cut) {
        normalized += this.#graphemeOf(grapheme);
        start += grapheme.length;
      }
    }
    return normalized;
  }

  #graphemeOf(grapheme: string): string {
    const known = this.#kept.get(grapheme);
    if (known !== undefined) return known;
    const whole = Buffer.byteLength(grapheme) <= MAX_WHOLE_BYTES ? this.#lookUp(grapheme) : undefined;
    const found = whole ?? Array.from(grapheme, (character) => this.#lookUp(character) ?? character).join('');
    if (this.#kept.size < MAX_KEPT) this.#kept.set(grapheme, found);
    return found;
  }

  /** The text of the shortest key that the text begins with; undefined where there is none. */
  #lookUp(text: string): string | undefined {
    let place = offsetOf(this.#trie[0]!);
    for (const byte of Buffer.from(text)) {
      if (byte === 0) return undefined;
      place ^= byte;
      const unit = this.#trie[place] ?? 0;
      // A leaf's unit has the highest bit, which no byte has.
      if ((unit & 0x800000ff) !== byte) return undefined;
      place ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1) {
        const start = (this.#trie[place] ?? 0) & 0x7fffffff;
        const end = this.#texts.indexOf(0, start);
        return this.#texts.toString('utf8', start, end < 0 ? undefined : end);
      }
    }
    return undefined;
  }
}

/** The end of a cut, which halves no pair. */
function endOfCut(text: string, wanted: number): number {
  if (wanted >= text.length) return text.length;
  return (text.charCodeAt(wanted - 1) & 0xfc00) === 0xd800 ? wanted + 1 : wanted;
}

function graphemesOf(text: string): string[] {
  if (/^[ -~]*$/.test(text)) return text.split('');
  return Array.from(graphemes.segment(text), ({ segment }) => segment);
}

/** Where a unit's children lie, from its own place. */
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
