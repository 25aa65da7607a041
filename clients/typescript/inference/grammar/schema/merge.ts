/** Merges keywords that all hold: `allOf`, and what stands beside `anyOf`. */
import { isDeepStrictEqual } from 'node:util';
import { below, isList, isObject, isText, type Keywords, keywordsOf, wrongSchema } from './node.js';

/** Branches, the node without them, and where each stands. */
export interface Branch {
  readonly schema: unknown;
  readonly pointer: string;
}

/** A node whose `allOf` is merged with what stands beside it. @throws CutlayerError */
export function withoutAllOf(node: Keywords, pointer: string): Keywords {
  const { allOf, ...own } = node;
  if (allOf === undefined) return node;
  if (!isList(allOf) || allOf.length === 0) throw wrongSchema(below(pointer, 'allOf'), 'expected a list of schemas');
  return allOf.reduce<Keywords>((merged, schema, at) => {
    const where = below(pointer, 'allOf', at);
    return merged === own && Object.keys(own).length === 0
      ? withoutAllOf(keywordsOf(schema, where), where)
      : mergeKeywords(merged, withoutAllOf(keywordsOf(schema, where), where), where);
  }, own);
}

/** Keywords of both. @param pointer the second one's @throws CutlayerError INVALID_ARGUMENT */
export function mergeKeywords(first: Keywords, second: Keywords, pointer: string): Keywords {
  if (isOpenObject(first) && isOpenObject(second) && (first.additionalProperties ?? second.additionalProperties) !== undefined)
    throw wrongSchema(pointer, 'additionalProperties sees the properties of its own branch alone; write one schema with all properties');
  const merged: Record<string, unknown> = { ...first };
  for (const [name, value] of Object.entries(second)) {
    if (!(name in first) || isDeepStrictEqual(first[name], value)) merged[name] = value;
    else if (name === 'required' && isList(first.required) && isList(value)) merged.required = [...new Set([...first.required, ...value])];
    else if (name === 'properties' && isObject(first.properties) && isObject(value))
      merged.properties = mergeProperties(first.properties, value, below(pointer, name));
    else if (name === 'type') merged.type = commonTypes(first.type, value, below(pointer, name));
    else throw wrongSchema(below(pointer, name), `${name} stands twice with different values; write one`);
  }
  return merged;
}

const isOpenObject = (node: Keywords): boolean => 'properties' in node || 'additionalProperties' in node;

function mergeProperties(first: Keywords, second: Keywords, pointer: string): Keywords {
  const twice = Object.keys(second).find((name) => Object.hasOwn(first, name) && !isDeepStrictEqual(first[name], second[name]));
  if (twice !== undefined) throw wrongSchema(below(pointer, twice), 'the property stands twice with different schemas; write one');
  return { ...first, ...second };
}

function commonTypes(first: unknown, second: unknown, pointer: string): readonly unknown[] {
  const [a, b] = [[first].flat(), [second].flat()];
  const common = [
    ...a.filter((type) => b.includes(type) || (type === 'integer' && b.includes('number'))),
    ...(a.includes('number') && b.includes('integer') && !a.includes('integer') ? ['integer'] : []),
  ];
  if (common.length === 0 || !common.every(isText)) throw wrongSchema(pointer, 'no type is left that both allow');
  return common;
}
