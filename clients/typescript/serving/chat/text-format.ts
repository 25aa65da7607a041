/** The form that a request wants of an answer: text, JSON, or a tool call. */

import { CutlayerError } from '../../../../src/errors.js';
import { shownJson } from '../../data/exact-numbers.js';
import type { ContinuationOptions } from '../../inference/continuation.js';
import type { Constraint } from '../../inference/grammar/constraint.js';
import { badField } from '../http/problem.js';
import type { TextModel } from '../model/text-model.js';
import type { ChatPrompt } from './chat-prompt.js';

/** Where a request says it: `response_format` of chat, `text.format` of responses. */
export interface FormatField {
  readonly value: unknown;
  readonly param: string;
  /** Where the schema of `json_schema` is: in a field of that name, or beside the type. */
  readonly schemaIn?: 'json_schema';
}

/**
 * Generation options with what the answer is held to; undefined: free text. The grammar is compiled
 * here, so that a keyword is refused before an answer begins.
 * @throws CutlayerError INVALID_ARGUMENT naming the field, and the keyword by its JSON pointer;
 *   LIMIT_EXCEEDED
 */
export async function heldOptions(
  model: TextModel,
  field: FormatField,
  { form, forced }: ChatPrompt,
  options: ContinuationOptions,
): Promise<ContinuationOptions> {
  const format = formatOf(field);
  if (format !== undefined && form !== undefined)
    throw badField(field.param, 'an answer is JSON or may call tools, not both; write tool_choice: "none", or leave tools out');
  const constraint = format ?? forced;
  if (constraint === undefined) return options;
  const held = { ...options, constraint };
  await model.checkConstraint(held).catch((caught: unknown) => {
    const { code, message, details } = CutlayerError.from(caught);
    if (code !== 'INVALID_ARGUMENT' && code !== 'LIMIT_EXCEEDED') throw caught;
    const param = format === undefined ? 'tools' : field.param;
    throw new CutlayerError(code, `${param}: ${message}`, { details: { ...details, param, code: 'invalid_value' } });
  });
  return held;
}

function formatOf({ value, param, schemaIn }: FormatField): Constraint | undefined {
  if (value === undefined || value === null) return undefined;
  const given = value as Readonly<Record<string, unknown>>;
  if (given.type === 'text') return undefined;
  if (given.type === 'json_object') return { kind: 'object' };
  if (given.type !== 'json_schema')
    throw badField(
      `${param}.type`,
      `expected "text", "json_object" or "json_schema", got ${shownJson(given.type)?.slice(0, 60) ?? 'nothing'}`,
    );
  const holder = (schemaIn === undefined ? given : given[schemaIn]) as { readonly schema?: unknown } | null | undefined;
  const place = schemaIn === undefined ? `${param}.schema` : `${param}.${schemaIn}.schema`;
  if (typeof holder?.schema !== 'object' || holder.schema === null) throw badField(place, 'expected a JSON schema');
  return { kind: 'schema', schema: holder.schema };
}
