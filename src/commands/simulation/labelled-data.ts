/** A data file with labels from the records' JSON, for a Dirichlet split only. */
import { type Example, type ExampleOptions, toExamples } from '../../../clients/typescript/data/examples.js';
import { readLines } from '../../../clients/typescript/data/lines.js';
import { parseRecord } from '../../../clients/typescript/data/records.js';
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
 * Reads a JSONL file.
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
  for await (const { text, number } of readLines(file)) {
    if (text.trim() === '') continue;
    const source = `${file}:${number}`;
    const examples = toExamples(parseRecord(text, source), tokenizer, options, source);
    if (examples.length > 0) records.push({ examples, label: rule === undefined ? '' : labelOf(text, rule, source) });
  }
  if (records.length === 0) throw new CutlayerError('INVALID_DATA', `${file}: no examples; expected at least one line with a JSON object`);
  return records;
}

/** @param text One JSON object, already known to be one. @throws CutlayerError INVALID_DATA */
export function labelOf(text: string, { field, pattern }: LabelRule, source: string): string {
  const value: unknown = (JSON.parse(text) as Readonly<Record<string, unknown>>)[field];
  if (typeof value !== 'string' && typeof value !== 'number')
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
