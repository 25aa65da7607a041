/** From the options of `generate` to its prompt: a text, or messages. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { CutlayerError } from '../../../../src/errors.js';
import { parseExactJson } from '../../data/exact-numbers.js';
import { type ChatMessage, parseMessages } from '../../data/messages.js';
import type { Prompt } from '../../inference/generate.js';
import type { GenerateFlags } from './generate-options.js';

type PromptFlags = Pick<GenerateFlags, 'prompt' | 'chat' | 'system' | 'messages'>;

/** @throws CutlayerError INVALID_OPTION, INVALID_ARGUMENT (empty), NOT_FOUND, INVALID_DATA */
export async function readPrompt({ prompt, chat, system, messages }: PromptFlags, input: NodeJS.ReadableStream): Promise<Prompt> {
  if (messages !== undefined) {
    if (prompt !== undefined || chat || system !== undefined)
      throw new CutlayerError(
        'INVALID_OPTION',
        '--messages: the file holds the whole conversation; leave out --prompt, --chat and --system',
      );
    return readMessages(messages);
  }
  checkSystem({ system, chat });
  const text = prompt ?? (await readAll(input));
  if (text === '') throw new CutlayerError('INVALID_ARGUMENT', 'generate: the prompt is empty');
  if (!chat) return text;
  const first: readonly ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  return [...first, { role: 'user', content: text }];
}

/** @throws CutlayerError INVALID_OPTION: a system message beside plain prompts */
export function checkSystem({ system, chat }: Pick<GenerateFlags, 'system' | 'chat'>): void {
  if (system !== undefined && !chat)
    throw new CutlayerError('INVALID_OPTION', '--system: a plain prompt has no system message; pass --chat too');
}

async function readMessages(file: string): Promise<readonly ChatMessage[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--messages ${file}: no such file (or it cannot be read)`, { cause });
  });
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_DATA', `${file}: not JSON; expected a list of {"role", "content"}`, { cause });
  }
  return parseMessages(Array.isArray(value) ? value : (value as { readonly messages?: unknown } | null)?.messages, file);
}
