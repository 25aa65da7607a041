/** The work of `cutlayer client chat`. */
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { plainJson, stderr, stdout, terminal } from '../../../../src/files/output.js';
import { generate } from '../../inference/generate.js';
import type { Constraint } from '../../inference/grammar/constraint.js';
import { readConstraint } from '../generate/read-constraint.js';
import { noteDecoding } from '../note-decoding.js';
import { type AdaptedModel, openAdapted } from '../open-adapted.js';
import { openSession } from '../session.js';
import type { ChatFlags } from './chat-options.js';
import { Conversation } from './conversation.js';

/** Where lines come from; a terminal by default. */
type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** The flags, and what each answer is held to. */
type ChatOptions = ChatFlags & { readonly constraint: Constraint | undefined };

/** @throws CutlayerError INVALID_ARGUMENT (no chat template), and what opening a session throws */
export async function runChat(given: ChatFlags, input: Input = process.stdin): Promise<void> {
  const flags = { ...given, constraint: await readConstraint(given) };
  const opening = new AbortController();
  const session = await openSession(flags, opening.signal, ({ error }) => stderr.line(`${error.code}: ${error.message}; trying again`));
  try {
    const adapted = await openAdapted(flags.adapter, session);
    noteDecoding(adapted.model);
    // A bundle without a chat template is told before the first message.
    adapted.model.bundle.tokenizer.renderChat([{ role: 'user', content: 'x' }], true);
    await converse(flags, adapted, input);
  } finally {
    await session.close();
  }
}

async function converse(flags: ChatOptions, adapted: AdaptedModel, input: Input): Promise<void> {
  const conversation = new Conversation(flags.system);
  const interactive = input.isTTY === true;
  const lines = createInterface({ input, ...(interactive && { output: terminal(), prompt: '> ' }) });
  let answering: AbortController | undefined;
  const stop = () => (answering === undefined ? lines.close() : answering.abort());
  lines.on('SIGINT', stop);
  process.on('SIGINT', stop);
  if (interactive) stderr.line('ctrl-C stops an answer, ctrl-D ends, /help lists commands');
  if (interactive) lines.prompt();
  try {
    for await (const line of lines) {
      const turn = conversation.read(line);
      if (turn.do === 'end') return;
      if (turn.do === 'say') for (const text of turn.text.split('\n')) stderr.line(text);
      if (turn.do === 'save') await save(turn.file, conversation);
      if (turn.do === 'answer') {
        answering = new AbortController();
        await answer(flags, adapted, conversation, answering.signal);
        answering = undefined;
      }
      if (interactive) lines.prompt();
    }
  } finally {
    process.off('SIGINT', stop);
    lines.close();
  }
}

/** Streams an answer; what was shown of a stopped one stays in the conversation. */
async function answer(
  flags: ChatOptions,
  { model, adapter }: AdaptedModel,
  conversation: Conversation,
  signal: AbortSignal,
): Promise<void> {
  let text = '';
  try {
    const options = { ...flags, seed: flags.seed + conversation.drawing, signal };
    for await (const piece of generate(model, adapter, conversation.messages, options)) {
      stdout.text(piece);
      text += piece;
    }
  } catch (error) {
    if (!signal.aborted) {
      conversation.takeBack();
      if (!(error instanceof CutlayerError)) throw error;
      stdout.text(text === '' ? '' : '\n');
      stderr.line(`error ${error.code}: ${error.message}; the message is taken back (/reset begins anew)`);
      return;
    }
    if (text === '') conversation.takeBack();
  }
  stdout.text('\n');
  if (text !== '' || !signal.aborted) conversation.answered(text);
}

async function save(file: string, { messages }: Conversation): Promise<void> {
  if (existsSync(file)) return stderr.line(`/save: ${file} exists already; choose another file`);
  try {
    await writeFileAtomic(file, `${plainJson(messages, 2)}\n`, { mode: 0o600 });
    stderr.line(`wrote ${file}`);
  } catch (error) {
    stderr.line(`/save: ${(error as Error).message}`);
  }
}
