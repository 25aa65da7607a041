/** JSON documents with some values changed: they pass the parser and reach what judges the values. */
import fc from 'fast-check';

/** How often a value is wrapped in itself to be deep: parsers that recurse fail at some thousands. */
const DEPTHS = [2, 300, 20_000];

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
  } else {
    let deep: unknown = 0;
    for (let depth = DEPTHS[other % DEPTHS.length]!; depth > 0; depth--) deep = place % 2 === 0 ? [deep] : { a: deep };
    put(key, deep);
  }
}

/** JSON of a value of any depth: `JSON.stringify` recurses. */
export function jsonText(value: unknown): string {
  const out: string[] = [];
  const todo: (string | { readonly value: unknown })[] = [{ value }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next === 'string') out.push(next);
    else if (typeof next.value !== 'object' || next.value === null) out.push(JSON.stringify(next.value) ?? 'null');
    else {
      const isList = Array.isArray(next.value);
      todo.push(isList ? ']' : '}');
      const entries = Object.entries(next.value).reverse();
      for (const [at, [key, child]] of entries.entries()) {
        todo.push({ value: child });
        if (!isList) todo.push(`${JSON.stringify(key)}:`);
        if (at < entries.length - 1) todo.push(',');
      }
      out.push(isList ? '[' : '{');
    }
  }
  return out.join('');
}

/** Documents with one to four edits. @param documents JSON @param write the text of a document */
export function editedJson(documents: readonly unknown[], write: (value: unknown) => string = jsonText): fc.Arbitrary<Uint8Array> {
  const texts = documents.map((document) => JSON.stringify(document));
  return fc.tuple(fc.nat(texts.length - 1), fc.array(edit, { minLength: 1, maxLength: 4 })).map(([at, edits]) => {
    const root = { value: JSON.parse(texts[at]!) as unknown };
    // What makes a value deep comes last, as what follows would walk down into it.
    const [last, first] = [edits.filter(({ kind }) => kind === 'deep').slice(0, 1), edits.filter(({ kind }) => kind !== 'deep')];
    for (const one of [...first, ...last]) apply(root, one);
    return Buffer.from(write(root.value));
  });
}
