/** The prompts of a file, one a row: texts, or conversations. */
import { CutlayerError } from '../../../../src/errors.js';
import { type ChatMessage, parseMessages } from '../../data/messages.js';
import { readRows } from '../../data/rows.js';
import type { Prompt } from '../../inference/generate.js';

/** One row. */
export interface FilePrompt {
  /** As the row has it; it is copied to the answer. */
  readonly id?: string | number;
  readonly prompt: Prompt;
  /** Where it stands, for messages. */
  readonly source: string;
}

/** How plain prompts are sent. */
export interface PromptsOptions {
  /** A prompt is a user's message. */
  readonly chat: boolean;
  /** The system message before it. */
  readonly system?: string | undefined;
}

/** Most rows of a file. */
const MAX_PROMPTS = 1_000_000;

/**
 * Reads `{prompt}` or `{messages}`, each with an `id` or without; other keys are left alone.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA naming the row
 */
export async function readPrompts(file: string, options: PromptsOptions): Promise<readonly FilePrompt[]> {
  const prompts: FilePrompt[] = [];
  for await (const { source, value } of readRows(file)) {
    if (prompts.length === MAX_PROMPTS)
      throw new CutlayerError('INVALID_DATA', `${file}: holds more than ${MAX_PROMPTS} prompts; split it`);
    prompts.push(filePrompt(value(), source, options));
  }
  if (prompts.length === 0) throw new CutlayerError('INVALID_DATA', `${file}: expected at least one prompt, got an empty file`);
  return prompts;
}

function filePrompt(row: unknown, source: string, { chat, system }: PromptsOptions): FilePrompt {
  const record = row as Readonly<Record<string, unknown>> | null;
  const wrong = (what: string) => new CutlayerError('INVALID_DATA', `${source}: ${what}`);
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    throw wrong('expected an object with "prompt" (a text) or "messages" (a list)');
  const { id, prompt, messages } = record;
  const known = id == null ? {} : typeof id === 'string' || typeof id === 'number' ? { id } : undefined;
  if (known === undefined) throw wrong('id: expected a text or a number');
  if (messages != null) return { ...known, source, prompt: parseMessages(messages, source) };
  if (typeof prompt !== 'string' || prompt === '')
    throw wrong(`expected "prompt" (a text that is not empty) or "messages" (a list), got ${Object.keys(record).join(', ') || 'no key'}`);
  if (!chat) return { ...known, source, prompt };
  const first: readonly ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  return { ...known, source, prompt: [...first, { role: 'user', content: prompt }] };
}
