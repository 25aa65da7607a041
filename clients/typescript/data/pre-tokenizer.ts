/**
 * Cuts normalized text into the pieces that a tokenizer's model encodes, each with its place. The
 * package's own pre-tokenizers give no places, and leave out what `Metaspace` and `Split` may ask.
 * @see huggingface/tokenizers, pre_tokenizers/
 */

/** A piece of text for the model. */
export interface Piece {
  /** What the model encodes, before bytes are written as characters. */
  readonly text: string;
  /** Index in the text of the piece's first own character. */
  readonly start: number;
  /** Characters put before the piece's own. */
  readonly lead: number;
}

/** A row of `pre_tokenizer` in tokenizer.json. */
export interface PreTokenizerConfig {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizerConfig[];
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  readonly replacement?: string;
  readonly prepend_scheme?: 'always' | 'first' | 'never';
  readonly split?: boolean;
  readonly behavior?: string;
  readonly invert?: boolean;
}

/** The package's own pre-tokenizer: its pattern, and its pieces without their places. */
export interface PackagePreTokenizer {
  readonly pattern?: RegExp | null;
  readonly tokenizers?: readonly (PackagePreTokenizer | null)[];
  pre_tokenize_text(text: string, options?: object): readonly string[];
}

type Step = (piece: Piece, atStart: boolean) => readonly Piece[];

/** Cuts text into pieces. */
export class PreTokenizer {
  readonly #steps: readonly Step[];
  /** Whether the model encodes each byte of a piece as one character. */
  readonly bytes: boolean;

  constructor(config: PreTokenizerConfig | null | undefined, made: PackagePreTokenizer | null) {
    const rows = config == null ? [] : flat(config, made);
    this.#steps = rows.map(([row, own]) => stepOf(row, own));
    this.bytes = rows.some(([row]) => row.type === 'ByteLevel');
  }

  /** @param atStart Whether the text begins the whole text. */
  pieces(text: string, atStart: boolean): readonly Piece[] {
    let pieces: readonly Piece[] = [{ text, start: 0, lead: 0 }];
    for (const step of this.#steps) pieces = pieces.flatMap((piece) => step(piece, atStart && piece.start === 0));
    return pieces;
  }
}

function flat(
  config: PreTokenizerConfig,
  made: PackagePreTokenizer | null,
): readonly (readonly [PreTokenizerConfig, PackagePreTokenizer | null])[] {
  if (config.type !== 'Sequence') return [[config, made]];
  return (config.pretokenizers ?? []).flatMap((row, at) => flat(row, made?.tokenizers?.[at] ?? null));
}

function stepOf(config: PreTokenizerConfig, made: PackagePreTokenizer | null): Step {
  switch (config.type) {
    case 'ByteLevel': {
      const pattern = config.use_regex === false ? undefined : (made?.pattern ?? undefined);
      return (piece) => {
        const whole = config.add_prefix_space === true && !piece.text.startsWith(' ') ? led(piece, ' ') : piece;
        return pattern === undefined ? [whole] : matches(whole, pattern).map(([start, end]) => part(whole, start, end));
      };
    }
    case 'Metaspace':
      return metaspace(config);
    case 'Split':
      return split(config, made?.pattern ?? undefined);
    default:
      return (piece) => located(piece, made?.pre_tokenize_text(piece.text, {}) ?? [piece.text]);
  }
}

/** Older files say `add_prefix_space` where newer ones have a scheme. */
function metaspace({ replacement = '\u2581', prepend_scheme, add_prefix_space, split = true }: PreTokenizerConfig): Step {
  const scheme = prepend_scheme ?? (add_prefix_space === false ? 'never' : 'always');
  return (piece, atStart) => {
    const marked = { ...piece, text: piece.text.replaceAll(' ', replacement) };
    const prepends = !marked.text.startsWith(replacement) && (scheme === 'always' || (scheme === 'first' && atStart));
    const whole = prepends ? led(marked, replacement) : marked;
    if (!split) return [whole];
    const starts = [0];
    for (let at = whole.text.indexOf(replacement, 1); at > 0; at = whole.text.indexOf(replacement, at + 1)) starts.push(at);
    return starts.map((start, index) => part(whole, start, starts[index + 1] ?? whole.text.length));
  };
}

function split(config: PreTokenizerConfig, pattern: RegExp | undefined): Step {
  if (pattern === undefined) return (piece) => [piece];
  const behavior = config.behavior?.toLowerCase() ?? 'isolated';
  return (piece) => {
    // Parts that match and parts between them, in order; `invert` swaps their roles.
    const parts: { start: number; end: number; found: boolean }[] = [];
    let done = 0;
    for (const [start, end] of matches(piece, pattern)) {
      if (done < start) parts.push({ start: done, end: start, found: config.invert === true });
      if (start < end) parts.push({ start, end, found: config.invert !== true });
      done = end;
    }
    if (done < piece.text.length) parts.push({ start: done, end: piece.text.length, found: config.invert === true });
    return joined(parts, behavior).map(({ start, end }) => part(piece, start, end));
  };
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The delimiters' fate. */
function joined(parts: readonly (Range & { readonly found: boolean })[], behavior: string): readonly Range[] {
  switch (behavior) {
    case 'removed':
      return parts.filter(({ found }) => !found);
    case 'mergedwithprevious':
      return merged(parts, (last, next) => next.found && !last.found);
    case 'mergedwithnext':
      return merged(parts, (last, next) => last.found && !next.found);
    case 'contiguous':
      return merged(parts, (last, next) => last.found === next.found);
    default:
      return parts;
  }
}

type FoundRange = Range & { readonly found: boolean };

function merged(parts: readonly FoundRange[], joins: (last: FoundRange, next: FoundRange) => boolean): readonly Range[] {
  const ranges: { start: number; end: number }[] = [];
  parts.forEach((next, at) => {
    const last = parts[at - 1];
    if (last !== undefined && joins(last, next)) ranges.at(-1)!.end = next.end;
    else ranges.push({ start: next.start, end: next.end });
  });
  return ranges;
}

function matches({ text }: Piece, pattern: RegExp): readonly (readonly [number, number])[] {
  return Array.from(text.matchAll(pattern), (match) => [match.index, match.index + match[0].length] as const);
}

function led(piece: Piece, text: string): Piece {
  return { text: text + piece.text, start: piece.start, lead: piece.lead + text.length };
}

function part({ text, start, lead }: Piece, from: number, to: number): Piece {
  return { text: text.slice(from, to), start: start + Math.max(0, from - lead), lead: Math.max(0, lead - from) };
}

/** Places of parts that a pre-tokenizer of the package cut out. */
function located(piece: Piece, texts: readonly string[]): readonly Piece[] {
  let cursor = 0;
  return texts.map((text) => {
    const found = piece.text.indexOf(text, cursor);
    if (found < 0) return { text, start: piece.start + Math.max(0, cursor - piece.lead), lead: 0 };
    cursor = found + text.length;
    return part(piece, found, cursor);
  });
}
