/**
 * Parses the JSON text of a safetensors header. JSON.parse silently keeps the last of two equal
 * keys and accepts nesting and numbers that the format forbids. So this is a parser of this
 * grammar:
 *     {"__metadata__": {string: string, ...}, name: {"dtype": string, "shape": [int, ...], "data_offsets": [int, int]}, ...}
 */

/** A tensor's entry as written; only that its numbers are safe non-negative integers is checked. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly offsets: readonly number[];
}

export interface HeaderText {
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface HeaderLimits {
  readonly maxTensors: number;
  readonly maxRank: number;
}

/** The syntax error in the text; the caller adds the file's name. */
export class HeaderSyntaxError extends Error {
  override readonly name = 'HeaderSyntaxError';
}

/** Parses a header. @throws HeaderSyntaxError */
export function parseHeaderText(text: string, limits: HeaderLimits): HeaderText {
  const entries = new Map<string, HeaderEntry>();
  const metadata = new Map<string, string>();
  const scanner = new Scanner(text);
  let sawMetadata = false;
  scanner.object('header', (name) => {
    if (name === '__metadata__') {
      if (sawMetadata) throw new HeaderSyntaxError('__metadata__ occurs twice');
      sawMetadata = true;
      scanner.object('__metadata__', (key) => {
        if (metadata.has(key)) throw new HeaderSyntaxError(`__metadata__.${key} occurs twice`);
        metadata.set(key, scanner.string(`__metadata__.${key}`));
      });
      return;
    }
    if (name === '') throw new HeaderSyntaxError('a tensor has an empty name');
    if (entries.has(name)) throw new HeaderSyntaxError(`tensor ${name} occurs twice`);
    if (entries.size >= limits.maxTensors) throw new HeaderSyntaxError(`it names more than ${limits.maxTensors} tensors`);
    entries.set(name, parseEntry(scanner, name, limits));
  });
  scanner.end();
  return { entries, metadata };
}

function parseEntry(scanner: Scanner, name: string, limits: HeaderLimits): HeaderEntry {
  let dtype: string | undefined;
  let shape: readonly number[] | undefined;
  let offsets: readonly number[] | undefined;
  scanner.object(`tensor ${name}`, (key) => {
    const where = `tensor ${name}: ${key}`;
    if (key === 'dtype' && dtype === undefined) dtype = scanner.string(where);
    else if (key === 'shape' && shape === undefined) shape = scanner.integers(where, limits.maxRank);
    else if (key === 'data_offsets' && offsets === undefined) offsets = scanner.integers(where, 2);
    else throw new HeaderSyntaxError(`${where} is unknown or occurs twice`);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined)
    throw new HeaderSyntaxError(`tensor ${name}: expected dtype, shape and data_offsets`);
  return { dtype, shape, offsets };
}

class Scanner {
  private position = 0;
  constructor(private readonly text: string) {}

  object(where: string, member: (key: string) => void): void {
    this.expect('{', where);
    if (this.peek() === '}') {
      this.position++;
      return;
    }
    for (;;) {
      const key = this.string(`${where}: key`);
      this.expect(':', where);
      member(key);
      if (this.peek() !== ',') break;
      this.position++;
    }
    this.expect('}', where);
  }

  integers(where: string, limit: number): number[] {
    const values: number[] = [];
    this.expect('[', where);
    if (this.peek() === ']') {
      this.position++;
      return values;
    }
    for (;;) {
      if (values.length >= limit) throw new HeaderSyntaxError(`${where} has more than ${limit} numbers`);
      values.push(this.integer(where));
      if (this.peek() !== ',') break;
      this.position++;
    }
    this.expect(']', where);
    return values;
  }

  string(where: string): string {
    this.peek();
    const start = this.position;
    if (this.text[start] !== '"') throw this.unexpected('a string', where);
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    this.position = end + 1;
    try {
      return JSON.parse(this.text.slice(start, end + 1)) as string; // a string literal, or it throws
    } catch {
      this.position = start;
      throw this.unexpected('a string', where);
    }
  }

  end(): void {
    if (this.peek() !== undefined) throw this.unexpected('the end', 'header');
  }

  private integer(where: string): number {
    this.peek();
    const digits = /(?:0|[1-9][0-9]*)(?![0-9.eE])/y;
    digits.lastIndex = this.position;
    const found = digits.exec(this.text);
    const value = Number(found?.[0]);
    if (found === null || !Number.isSafeInteger(value)) throw this.unexpected('an integer in 0..2^53-1', where);
    this.position = digits.lastIndex;
    return value;
  }

  /** The next character that is no white space, without consuming it. */
  private peek(): string | undefined {
    while (' \t\n\r'.includes(this.text[this.position] ?? 'x')) this.position++;
    return this.text[this.position];
  }

  private expect(character: string, where: string): void {
    if (this.peek() !== character) throw this.unexpected(`'${character}'`, where);
    this.position++;
  }

  private unexpected(wanted: string, where: string): HeaderSyntaxError {
    const got = this.position >= this.text.length ? 'the end' : JSON.stringify(this.text.slice(this.position, this.position + 16));
    return new HeaderSyntaxError(`${where}: expected ${wanted} at character ${this.position}, got ${got}`);
  }
}
