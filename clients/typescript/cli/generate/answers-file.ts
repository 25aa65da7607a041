/**
 * The answers to a file of prompts: JSON lines in the order of the prompts, so that a run resumes.
 */
import { existsSync } from 'node:fs';
import { CutlayerError } from '../../../../src/errors.js';
import { JsonLines } from '../../../../src/files/json-lines.js';
import type { Finish } from '../../inference/continuation.js';

/** One line. */
export interface Answer {
  /** Of the prompt in its file, from 0. */
  readonly index: number;
  /** The prompt's own id, where it has one. */
  readonly id?: string | number;
  readonly text: string;
  readonly finish: Finish;
  readonly promptTokens: number;
  readonly tokens: number;
  /** Of beam search. */
  readonly score?: number;
}

/**
 * Opens the file; `earlier` of the result has the answers that are there.
 * @param promptTokens of each prompt, in order
 * @throws CutlayerError ALREADY_EXISTS (without `resume`), INVALID_DATA (other prompts, or no
 *   answers), IO_ERROR
 */
export async function openAnswers(path: string, resume: boolean, promptTokens: readonly number[]): Promise<JsonLines<Answer>> {
  if (!resume && existsSync(path))
    throw new CutlayerError('ALREADY_EXISTS', `${path}: exists already; go on with it by --resume, or choose another --out`);
  let index = 0;
  return JsonLines.open<Answer>(path, { parse: (line, where) => answer(line, where, index++, promptTokens) });
}

function answer(line: string, where: string, index: number, promptTokens: readonly number[]): Answer {
  let value: Partial<Answer> | null = null;
  try {
    value = JSON.parse(line) as Partial<Answer> | null;
  } catch {
    // Below: it is no answer.
  }
  if (value?.index === index && value.promptTokens !== undefined && value.promptTokens === promptTokens[index]) return value as Answer;
  throw new CutlayerError(
    'INVALID_DATA',
    `${where}: expected the answer to prompt ${index} of ${promptTokens[index] ?? 'no'} tokens; give the prompts, bundle and adapter that the file was begun with, or another --out`,
  );
}
