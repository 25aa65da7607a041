/** Whether no value fits two branches of `oneOf`, as far as their keywords say so. */
import { isDeepStrictEqual } from 'node:util';
import { isList, isObject, type Keywords, typeNames } from './node.js';

/** @param of resolves references @returns the first two that a value may fit; undefined: none */
export function overlapping(branches: readonly unknown[], of: (schema: unknown) => unknown): readonly [number, number] | undefined {
  const nodes = branches.map(of);
  for (let second = 1; second < nodes.length; second++)
    for (let first = 0; first < second; first++) if (!apart(nodes[first], nodes[second], of)) return [first, second];
  return undefined;
}

function apart(first: unknown, second: unknown, of: (schema: unknown) => unknown): boolean {
  if (first === false || second === false) return true;
  if (!isObject(first) || !isObject(second)) return false;
  const [a, b] = [valuesOf(first), valuesOf(second)];
  if (a !== undefined && b !== undefined) return !a.some((one) => b.some((other) => isDeepStrictEqual(one, other)));
  const types = typesOf(second);
  if (!typesOf(first).some((type) => types.includes(type))) return true;
  return onlyObjects(first) && onlyObjects(second) && tagged(first, second, of);
}

/** The only values that fit. */
function valuesOf({ const: value, enum: values }: Keywords): readonly unknown[] | undefined {
  return value !== undefined ? [value] : isList(values) ? values : undefined;
}

/** Types of values that may fit; an integer is a number. */
function typesOf(node: Keywords): readonly unknown[] {
  const said = node.type !== undefined ? [node.type].flat() : valuesOf(node)?.map(typeOf);
  return (said ?? typeNames).map((type) => (type === 'integer' ? 'number' : type));
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

const onlyObjects = (node: Keywords): boolean => typesOf(node).every((type) => type === 'object');

/** Whether both require a property whose values are apart. */
function tagged(first: Keywords, second: Keywords, of: (schema: unknown) => unknown): boolean {
  if (!isList(first.required) || !isList(second.required) || !isObject(first.properties) || !isObject(second.properties)) return false;
  const { properties, required } = second as { readonly properties: Keywords; readonly required: readonly unknown[] };
  return Object.entries(first.properties).some(
    ([name, schema]) =>
      (first.required as readonly unknown[]).includes(name) &&
      required.includes(name) &&
      Object.hasOwn(properties, name) &&
      apart(of(schema), of(properties[name]), of),
  );
}
