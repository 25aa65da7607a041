/** JSON documents with some values changed: they pass the parser and reach what judges the values. */
import fc from 'fast-check';

/** How often a value is wrapped in itself to be deep: parsers that recurse fail at some thousands. */
const DEPTHS = [2, 300, 20_000];

/** A text that stands for a deep value until the document is written: what walks the document may recurse. */
const deepMark = (depth: number, list: boolean): string => `@deep ${depth} ${list ? 'list' : 'object'}@`;
const DEEP_MARK = /"@deep (\d+) (list|object)@"/g;

const nested = (depth: number, list: boolean): string =>
  list ? `${'['.repeat(depth)}0${']'.repeat(depth)}` : `${'{"a":'.repeat(depth)}0${'}'.repeat(depth)}`;

type Container = Record<string, unknown> | unknown[];

interface Place {
  readonly holder: Container;
  readonly key: string | number;
}

/** Every place of a document that holds a value, the document itself as `root.value`. */
function placesOf(root: { value: unknown }): Place[] {
  const places: Place[] = [];
  const visit = (holder: Container): void => {
    for (const key of Array.isArray(holder) ? holder.keys() : Object.keys(holder)) {
      places.push({ holder, key });
      const child = (holder as Record<string | number, unknown>)[key];
      if (typeof child === 'object' && child !== null) visit(child as Container);
    }
  };
  visit(root);
  return places;
}

const edgeNumber = fc.constantFrom(0, -1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, 1e21, -1e308, 5e-324);
const edgeText = fc.constantFrom('', '__proto__', 'constructor', '\ud800', '\u0000', '../x', 'a'.repeat(300), '\u2028', 'NaN');

/** A value of another kind. */
const otherValue: fc.Arbitrary<unknown> = fc.oneof(
  edgeNumber,
  edgeText,
  fc.constantFrom(null, true, false, [], {}),
  fc.jsonValue({ maxDepth: 2 }),
);

interface Edit {
  readonly place: number;
  readonly kind: 'replace' | 'remove' | 'add' | 'copy' | 'deep';
  readonly value: unknown;
  readonly other: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  place: fc.nat(1 << 20),
  kind: fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom('replace' as const, 'remove' as const, 'add' as const, 'copy' as const) },
    { weight: 1, arbitrary: fc.constant('deep' as const) },
  ),
  value: otherValue,
  other: fc.nat(1 << 20),
});

function apply(root: { value: unknown }, { place, kind, value, other }: Edit): void {
  const places = placesOf(root);
  if (places.length === 0) return; // the whole document was left out
  const { holder, key } = places[place % places.length]!;
  const fields = holder as Record<string | number, unknown>;
  const put = (at: string | number, what: unknown): void => {
    Object.defineProperty(fields, at, { value: what, enumerable: true, configurable: true, writable: true });
  };
  if (kind === 'replace') put(key, value);
  else if (kind === 'remove' && Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (kind === 'remove') delete fields[key];
  else if (kind === 'add' && Array.isArray(holder)) holder.push(value);
  else if (kind === 'add') put(typeof value === 'string' ? value : 'more', value);
  else if (kind === 'copy') {
    const from = places[other % places.length]!;
    // By text, so that no value holds itself.
    put(key, JSON.parse(JSON.stringify((from.holder as Record<string | number, unknown>)[from.key] ?? null)));
  } else put(key, deepMark(DEPTHS[other % DEPTHS.length]!, place % 2 === 0));
}

/** Documents with one to four edits. @param documents JSON @param write the text of a document */
export function editedJson(documents: readonly unknown[], write: (value: unknown) => string = JSON.stringify): fc.Arbitrary<Uint8Array> {
  const texts = documents.map((document) => JSON.stringify(document));
  return fc.tuple(fc.nat(texts.length - 1), fc.array(edit, { minLength: 1, maxLength: 4 })).map(([at, edits]) => {
    const root = { value: JSON.parse(texts[at]!) as unknown };
    for (const one of edits) apply(root, one);
    // An edit may have removed the whole document.
    const text = root.value === undefined ? 'null' : write(root.value);
    return Buffer.from(text.replace(DEEP_MARK, (_, depth: string, kind: string) => nested(Number(depth), kind === 'list')));
  });
}
