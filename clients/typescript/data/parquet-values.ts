/** Values of Parquet columns as JSON has them, as datasets of transformers hand them on. */
import type { SchemaTree } from 'hyparquet';
import { exactNumber } from './exact-numbers.js';
import { invalid } from './record-values.js';

/**
 * Fields of structures without a value are left out: a column has the fields of all rows together.
 * @param node The column's part of the schema
 * @throws CutlayerError INVALID_DATA (bytes)
 */
export function plainValue(value: unknown, node: SchemaTree, where: string, name: string): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return exactNumber(String(value));
  if (typeof value === 'number')
    return node.element.type === 'FLOAT' || node.element.type === 'DOUBLE' ? exactNumber(floatText(value)) : value;
  if (typeof value !== 'object') return value;
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) throw invalid(where, `${name}: expected text, got bytes`);
  if (Array.isArray(value)) {
    const item = itemOf(node);
    return value.map((one, at) => plainValue(one, item, where, `${name}[${at}]`));
  }
  const entries = Object.entries(value).flatMap(([key, one]) => {
    // A turn's absent content is a value; other fields of structures are there for other rows.
    if (one == null && key !== 'content') return [];
    const child = node.children.find(({ element }) => element.name === key) ?? node;
    return [[key, plainValue(one, child, where, `${name}.${key}`)]];
  });
  return Object.fromEntries(entries);
}

/** The schema of a list's items, which lies one or two levels below the list's. */
function itemOf(node: SchemaTree): SchemaTree {
  const isList = node.element.logical_type?.type === 'LIST' || node.element.converted_type === 'LIST';
  const repeated = isList ? node.children[0] : undefined;
  if (repeated === undefined) return node;
  return repeated.children.length === 1 ? repeated.children[0]! : repeated;
}

/** As JSON writes a float: with its point. */
function floatText(value: number): string {
  return Number.isInteger(value) && !/e/.test(String(value)) ? `${value}.0` : String(value);
}
