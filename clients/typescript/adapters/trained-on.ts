/**
 * `cutlayer_training.json` beside an adapter's files: the form of the records that it learned, and
 * the defences that it was trained with. PEFT ignores it; an adapter without it may have learned
 * any form.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../../src/files/json-text.js';

const TRAINING_FILE = 'cutlayer_training.json';

/**
 * The file's name and text for some examples.
 * @param examples undefined: of any form
 * @param defences As JSON: their names and settings
 */
export function trainedOnFile(
  examples: readonly { readonly chat?: boolean }[] | undefined,
  defences: readonly unknown[] = [],
): { readonly name: string; readonly text: string } {
  const chats = examples?.filter(({ chat }) => chat === true).length;
  const records = chats === 0 ? 'text' : chats === examples?.length ? 'messages' : 'mixed';
  const said = {
    format: 'cutlayer-training',
    formatVersion: 1,
    ...(examples !== undefined && { records }),
    ...(defences.length > 0 && { defences }),
  };
  return { name: TRAINING_FILE, text: `${JSON.stringify(said)}\n` };
}

/** Whether an adapter learned conversations alone; false where nothing says so. */
export async function learnedChats(dir: string): Promise<boolean> {
  return (await saidOf(dir)).records === 'messages';
}

/** The defences of the training, as they were written; undefined where nothing says any. */
export async function trainedDefences(dir: string): Promise<unknown> {
  return (await saidOf(dir)).defences;
}

async function saidOf(dir: string): Promise<{ readonly records?: unknown; readonly defences?: unknown }> {
  try {
    return (parseJson(await readFile(join(dir, TRAINING_FILE), 'utf8')) as object | null) ?? {};
  } catch {
    return {};
  }
}
