/** The keys that a schema knows at a place, to suggest one for an unknown key. */
import { z } from 'zod';

/** Keys at `path` of a schema; of alternatives, those of all; none where keys are free. */
export function knownKeys(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  const [key, ...rest] = path;
  const shapes = objectsOf(schema);
  if (key === undefined) return [...new Set(shapes.flatMap((shape) => Object.keys(shape)))];
  return [...new Set(shapes.flatMap((shape) => (String(key) in shape ? knownKeys(shape[String(key)], rest) : [])))];
}

/**
 * Texts that the alternatives of a schema have at `path`, whose last key is what tells them apart.
 */
export function knownValues(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  const [key, ...rest] = path;
  const found = objectsOf(schema).map((shape) => shape[String(key)]);
  if (rest.length > 0) return [...new Set(found.flatMap((inner) => knownValues(inner, rest)))];
  return found.flatMap((value) => (value instanceof z.ZodLiteral ? [...value.values].map(String) : []));
}

/** The object shapes that a schema comes to behind defaults, null and alternatives. */
function objectsOf(schema: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (schema instanceof z.ZodObject) return [schema.shape];
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(objectsOf);
  if (
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodOptional
  ) {
    return objectsOf(schema.unwrap());
  }
  return [];
}
