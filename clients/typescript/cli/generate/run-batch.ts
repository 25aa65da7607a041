/** `cutlayer client generate --prompts`: answers to a file of prompts, some at a time. */
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, terminal } from '../../../../src/files/output.js';
import { progressBar } from '../../../../src/files/progress-bar.js';
import type { Adapter } from '../../adapters/adapter.js';
import { searchBeams } from '../../inference/beams/search-beams.js';
import type { ContinuationOptions } from '../../inference/continuation.js';
import { continueAll, promptIds } from '../../inference/generate.js';
import type { SplitModel } from '../../model/split-model.js';
import { type Answer, openAnswers } from './answers-file.js';
import type { GenerateFlags } from './generate-options.js';
import { checkSystem } from './read-prompt.js';
import { type FilePrompt, readPrompts } from './read-prompts.js';

/** Without a terminal: a line for about every twentieth part of the prompts. */
const PLAIN_LINES = 20;

/** The flags, and what the texts are held to. */
type BatchOptions = GenerateFlags & Pick<ContinuationOptions, 'constraint'>;

/** A prompt and its ids. */
interface ReadyPrompt extends FilePrompt {
  readonly ids: readonly number[];
}

/**
 * @param warnPlain Called when a prompt is plain text.
 * @throws CutlayerError INVALID_OPTION, INVALID_DATA (a row), ALREADY_EXISTS, CANCELLED
 */
export async function runBatch(
  flags: BatchOptions,
  model: SplitModel,
  adapter: Adapter | undefined,
  signal: AbortSignal,
  warnPlain?: () => void,
): Promise<void> {
  const { out, prompts: file } = flags as { readonly out: string; readonly prompts: string }; // checkBatchFlags
  const { tokenizer } = model.bundle;
  const longest = model.maxLength(adapter?.numVirtualTokens ?? 0);
  const prompts = (await readPrompts(file, flags)).map((item) => withIds(item, promptIds(tokenizer, item.prompt, model.defences), longest));
  if (prompts.some(({ prompt }) => typeof prompt === 'string')) warnPlain?.();
  const answers = await openAnswers(
    out,
    flags.resume,
    prompts.map(({ ids }) => ids.length),
  );
  const meter = batchMeter(prompts.length, answers.earlier.length);
  try {
    for (let from = answers.earlier.length; from < prompts.length; from += flags.batch) {
      const group = prompts.slice(from, from + flags.batch).map((item, at) => ({ ...item, index: from + at }));
      for (const answer of await answersOf(model, adapter, group, flags, signal, meter.token)) await answers.append(answer);
      meter.prompts(Math.min(from + flags.batch, prompts.length));
    }
  } catch (error) {
    meter.stop();
    if (signal.aborted) stderr.line(`${out} holds the answers up to here; go on with the same command plus --resume`);
    throw error;
  } finally {
    await answers.close();
  }
  meter.stop();
  stderr.line(`${out}: ${prompts.length} answers${meter.rate()}`);
}

/** @throws CutlayerError INVALID_OPTION: flags of one prompt beside a file of them, or no file */
export function checkBatchFlags(flags: GenerateFlags): void {
  const { prompts, prompt, messages, system, chat, out, resume, numBeams, numReturnSequences } = flags;
  const wrong = (text: string) => new CutlayerError('INVALID_OPTION', text);
  if (numReturnSequences > numBeams)
    throw wrong(`--num-return-sequences: expected at most --num-beams (${numBeams}), got ${numReturnSequences}`);
  if (prompts === undefined) {
    if (out !== undefined || resume)
      throw wrong(`--${out === undefined ? 'resume' : 'out'}: goes with --prompts; one prompt is answered on standard output`);
    return;
  }
  if (prompt !== undefined || messages !== undefined)
    throw wrong(`--${prompt === undefined ? 'messages' : 'prompt'}: --prompts has them all; leave it out`);
  if (numReturnSequences > 1) throw wrong('--num-return-sequences: --prompts has one answer to each prompt; leave it out');
  if (out === undefined) throw wrong('--prompts: pass --out, the file for the answers (JSON lines)');
  checkSystem({ system, chat });
}

function withIds(item: FilePrompt, ids: readonly number[], longest: number): ReadyPrompt {
  if (ids.length > 0 && ids.length < longest) return { ...item, ids };
  throw new CutlayerError('INVALID_DATA', `${item.source}: expected a prompt of 1 to ${longest - 1} tokens, got ${ids.length}`);
}

async function answersOf(
  model: SplitModel,
  adapter: Adapter | undefined,
  group: readonly (ReadyPrompt & { readonly index: number })[],
  flags: BatchOptions,
  signal: AbortSignal,
  onToken: () => void,
): Promise<readonly Answer[]> {
  if (flags.numBeams > 1) {
    const answers: Answer[] = [];
    for (const { index, id, ids: prompt } of group) {
      const [best] = await searchBeams(model, adapter, prompt, { ...flags, signal });
      const { text, finish, score, ids } = best!; // a search finds one text at least
      for (const _ of ids) onToken();
      answers.push({ index, ...(id !== undefined && { id }), text, tokens: ids.length, promptTokens: prompt.length, finish, score });
    }
    return answers;
  }
  const made = group.map(({ index, id, ids }) => ({
    index,
    ...(id !== undefined && { id }),
    text: '',
    tokens: 0,
    promptTokens: ids.length,
  }));
  const finishes = new Map<number, Answer['finish']>();
  const requests = group.map(({ index, ids }) => ({ ids, options: flags, number: index }));
  for await (const piece of continueAll(model, adapter, requests, {
    task: flags.task,
    signal,
    batchSize: flags.batch,
    draftTokens: flags.draftTokens,
  })) {
    const answer = made[piece.index]!;
    answer.text += piece.text;
    if (piece.token !== undefined) {
      answer.tokens++;
      onToken();
    }
    if (piece.finish !== undefined) finishes.set(piece.index, piece.finish);
  }
  return made.map((answer, at) => ({ ...answer, finish: finishes.get(at)! }));
}

/** A bar with the time left on a terminal, plain lines elsewhere. */
function batchMeter(total: number, done: number) {
  const stream = terminal();
  const bar = stream.isTTY ? progressBar(stream, { format: '{bar} {value}/{total} prompts  {rate}  ETA {eta_formatted}' }) : undefined;
  const began = performance.now();
  let tokens = 0;
  const rate = () => `${(tokens / Math.max(1e-3, (performance.now() - began) / 1000)).toFixed(1)} tokens/s`;
  if (done > 0) stderr.line(`resuming after prompt ${done}`);
  bar?.start(total, done, { rate: '' });
  let printed = done;
  return {
    token: () => {
      tokens++;
    },
    prompts: (now: number) => {
      bar?.update(now, { rate: rate() });
      if (bar !== undefined || (now < total && now - printed < total / PLAIN_LINES)) return;
      printed = now;
      stderr.line(`${now}/${total} prompts  ${rate()}`);
    },
    rate: () => (tokens === 0 ? '' : `, ${tokens} tokens, ${rate()}`),
    stop: () => bar?.stop(),
  };
}
