/** Beam search through the gateway: each beam has a session, and a beam that splits is forked. */
import { CutlayerError } from '../../../../src/errors.js';
import type { Adapter } from '../../adapters/adapter.js';
import { taskOf } from '../../adapters/task.js';
import type { SplitModel } from '../../model/split-model.js';
import { batchLimits } from '../batch-limits.js';
import { DecodeSession } from '../decode-session.js';
import { roomAfter } from '../generate.js';
import { decodeSessions, type Growing, type LogitsSource, wholeSequences } from '../next-logits.js';
import { adjustLogits } from '../sampling/adjust.js';
import { logprobsOf } from '../sampling/logprobs.js';
import { type SamplingOptions, samplingSettings } from '../sampling/settings.js';
import { type Beam, BeamSearch, type BeamSettings, type EndedBeam, MOST_BEAMS } from './beam-search.js';

/** How texts are searched. What draws tokens has no part in it. */
export interface BeamOptions
  extends Pick<BeamSettings, 'numBeams'>,
    Partial<Pick<BeamSettings, 'lengthPenalty' | 'earlyStopping'>>,
    Pick<SamplingOptions, 'repetitionPenalty' | 'presencePenalty' | 'frequencyPenalty' | 'noRepeatNgramSize' | 'logitBias' | 'minTokens'> {
  /** Default 128; never more than the model has positions for. */
  readonly maxNewTokens?: number | undefined;
  /** Ids at which a text ends, beside those of the checkpoint. */
  readonly stopTokenIds?: readonly number[] | undefined;
  /** The task's id or name, for an adapter with tasks. */
  readonly task?: number | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A text that was found. */
export interface BeamText extends EndedBeam {
  readonly text: string;
}

interface GrowingBeam extends Growing {
  readonly ids: number[];
}

/**
 * The most probable texts after a prompt that beam search finds, best first: at most `numBeams`.
 * Default length penalty 1, early stopping false, as in transformers.
 * @throws CutlayerError INVALID_ARGUMENT (an empty or long prompt, settings), CANCELLED
 */
export async function searchBeams(
  model: SplitModel,
  adapter: Adapter | undefined,
  promptIds: readonly number[],
  options: BeamOptions,
): Promise<readonly BeamText[]> {
  const { numBeams, lengthPenalty = 1, earlyStopping = false, maxNewTokens = 128, stopTokenIds = [], task, signal } = options;
  const { tokenizer, manifest } = model.bundle;
  if (!Number.isSafeInteger(numBeams) || numBeams < 1 || numBeams > MOST_BEAMS)
    throw new CutlayerError('INVALID_ARGUMENT', `generate: numBeams: expected a whole number from 1 to ${MOST_BEAMS}, got ${numBeams}`);
  if (!Number.isFinite(lengthPenalty))
    throw new CutlayerError('INVALID_ARGUMENT', `generate: lengthPenalty: expected a number, got ${lengthPenalty}`);
  const longest = Math.min(roomAfter(model, adapter, promptIds), maxNewTokens);
  if (longest < 1) return [{ ids: [], text: '', score: 0, finish: 'length' }];
  const stops = new Set([...tokenizer.stopTokenIds, ...stopTokenIds]);
  const settings = samplingSettings(options, manifest.generation ?? {});
  const parts = (await adapter?.parts(taskOf(adapter, task))) ?? {};
  const sourceOptions = { model, parts, limits: batchLimits(model, adapter, { batchSize: numBeams }), signal };
  const source = DecodeSession.possible(model, parts) ? decodeSessions(sourceOptions) : wholeSequences(sourceOptions);
  const search = new BeamSearch({ numBeams, lengthPenalty, earlyStopping, maxNewTokens: longest, stopTokenIds: stops });
  try {
    let texts: readonly GrowingBeam[] = [{ ids: [...promptIds], draft: [], maxTokens: promptIds.length + longest }];
    for (;;) {
      const logits = await source.next(texts);
      const logprobs = logits.map(([row], at) => {
        const of = logprobsOf(row!);
        const scores = row!.map((_, id) => of(id));
        adjustLogits(scores, { ids: texts[at]!.ids, promptLength: promptIds.length }, settings, stops);
        return scores;
      });
      search.step(logprobs);
      const textOf = (ids: readonly number[]): string => {
        const [text, entities] = [tokenizer.decode([...ids]), model.defences.restoring(promptIds)];
        return entities === undefined ? text : entities.push(text) + entities.finish();
      };
      if (search.done) return search.ended.map((ended) => ({ ...ended, text: textOf(ended.ids) }));
      texts = await follow(source, texts, search.running);
    }
  } finally {
    source.close();
  }
}

/**
 * The first beam that continues a text takes it over, others get a fork; a text without one ends.
 */
async function follow(source: LogitsSource, texts: readonly GrowingBeam[], beams: readonly Beam[]): Promise<readonly GrowingBeam[]> {
  const continued = new Set(beams.map(({ parent }) => parent));
  for (const [at, text] of texts.entries()) if (!continued.has(at)) source.end(text);
  const next: GrowingBeam[] = [];
  for (const { parent } of beams) {
    const text = texts[parent]!;
    const fork = continued.delete(parent) ? text : { ...text, ids: [...text.ids] };
    if (fork !== text) await source.fork(text, fork);
    next.push(fork);
  }
  // A parent has its own tokens until all its forks are made.
  for (const [at, { ids }] of beams.entries()) next[at]!.ids.push(ids.at(-1)!);
  return next;
}
