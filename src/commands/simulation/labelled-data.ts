/** A data file with labels from the records' fields, for a Dirichlet split only. */
import { type Example, type ExampleOptions, toExamples } from '../../../clients/typescript/data/examples.js';
import { readRecord } from '../../../clients/typescript/data/records.js';
import { readRows } from '../../../clients/typescript/data/rows.js';
import type { TextTokenizer } from '../../../clients/typescript/data/text-tokenizer.js';
import { CutlayerError } from '../../errors.js';

export interface LabelRule {
  /** A field of the record that holds text. */
  readonly field: string;
  /** The label is its first group, or the whole match; none: the whole field. */
  readonly pattern?: RegExp;
}

/** The examples of one record, which stay together, and its label. */
export interface LabelledRecord {
  readonly examples: readonly Example[];
  readonly label: string;
}

/**
 * Reads a data file, as `client train` does.
 * @param rule None: every record has the same label.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA naming file:line
 */
export async function readLabelled(
  file: string,
  tokenizer: TextTokenizer,
  options: ExampleOptions,
  rule?: LabelRule,
): Promise<readonly LabelledRecord[]> {
  const records: LabelledRecord[] = [];
  for await (const { source, value } of readRows(file)) {
    const row = value();
    const examples = toExamples(readRecord(row, source, options.format).record, tokenizer, options, source);
    if (examples.length > 0) records.push({ examples, label: rule === undefined ? '' : labelOf(row, rule, source) });
  }
  if (records.length === 0) throw new CutlayerError('INVALID_DATA', `${file}: no examples; expected at least one line with a JSON object`);
  return records;
}

/** @param row An object, already known to be one. @throws CutlayerError INVALID_DATA */
export function labelOf(row: unknown, { field, pattern }: LabelRule, source: string): string {
  const value: unknown = (row as Readonly<Record<string, unknown>>)[field];
  if (typeof value !== 'string' && typeof value !== 'number' && !(value instanceof Number))
    throw new CutlayerError(
      'INVALID_DATA',
      `${source}: no text in the field "${field}" to take a label from; choose another with --label-field`,
    );
  if (pattern === undefined) return String(value);
  const found = pattern.exec(String(value));
  if (found === null)
    throw new CutlayerError('INVALID_DATA', `${source}: the field "${field}" does not match --label-pattern ${pattern.source}`);
  return found[1] ?? found[0];
}
