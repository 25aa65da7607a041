/**
 * `cutlayer_training.json` beside an adapter's files: the form of the records that it learned. PEFT
 * ignores it; an adapter without it may have learned any form.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../../src/files/json-text.js';

const TRAINING_FILE = 'cutlayer_training.json';

/** The file's name and text for some examples. */
export function trainedOnFile(examples: readonly { readonly chat?: boolean }[]): { readonly name: string; readonly text: string } {
  const chats = examples.filter(({ chat }) => chat === true).length;
  const records = chats === 0 ? 'text' : chats === examples.length ? 'messages' : 'mixed';
  return { name: TRAINING_FILE, text: `${JSON.stringify({ format: 'cutlayer-training', formatVersion: 1, records })}\n` };
}

/** Whether an adapter learned conversations alone; false where nothing says so. */
export async function learnedChats(dir: string): Promise<boolean> {
  try {
    const said = parseJson(await readFile(join(dir, TRAINING_FILE), 'utf8')) as { readonly records?: unknown } | null;
    return said?.records === 'messages';
  } catch {
    return false;
  }
}
