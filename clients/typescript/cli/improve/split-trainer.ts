/** The trainer of improvement: a split model, and the settings of `client train`. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../../src/protocol/federation/canonical-json.js';
import type { Adapter } from '../../adapters/adapter.js';
import { loadAdapter } from '../../adapters/load.js';
import type { Example } from '../../data/examples.js';
import type { Trainer, TrainingTask } from '../../improvement/trainer.js';
import { batchLimits } from '../../inference/batch-limits.js';
import { type ExampleScore, evaluate } from '../../inference/evaluate.js';
import { RecordReader } from '../../intake/record-reader.js';
import { RemoteModel } from '../../model/remote-model.js';
import { SplitModel } from '../../model/split-model.js';
import type { TrainEvent } from '../../training/train-options.js';
import { exampleOptions } from '../example-options.js';
import type { Session } from '../session.js';
import { newAdapter, prepareTraining, type ResolvedTrainFlags } from '../train/prepare-training.js';

/** Settings that say where and how fast, not what comes of it. */
const notOfTheRecipe: ReadonlySet<string> = new Set([
  ...['profile', 'bundle', 'gateway', 'ca', 'tokenFile', 'insecure', 'deadline', 'retryFor', 'threads', 'verify', 'signer'],
  ...['pipeline', 'checkpointEvery', 'tensorboard', 'defenceSecretFile', 'out', 'data', 'resume', 'initAdapter', 'evalEvery'],
]);

/** A digest of the settings that a run's result depends on. */
export function recipeDigest(settings: Readonly<Record<string, unknown>>): string {
  const kept = Object.entries(settings).filter(([name, value]) => value !== undefined && !notOfTheRecipe.has(name));
  return createHash('sha256')
    .update(canonicalJson(Object.fromEntries(kept)))
    .digest('hex');
}

/**
 * @param flags Their `data`, `out` and `resume` are not read.
 * @param parting What else decides about a run's examples.
 * @throws CutlayerError naming a flag that the model cannot follow
 */
export async function splitTrainer(
  flags: ResolvedTrainFlags,
  parting: Readonly<Record<string, number>>,
  session: Session,
  signal: AbortSignal,
  onEvent: (event: TrainEvent) => void,
): Promise<Trainer> {
  const { bundle, connection, defences } = session;
  const model = new SplitModel(bundle, new RemoteModel(connection), undefined, defences);
  const first: Adapter = await newAdapter(flags, session, model, signal);
  const limits = batchLimits(model, first, { batchSize: flags.batch, maxTokensPerBatch: flags.maxTokens });
  const options = exampleOptions(flags, first, { room: model.maxLength(first.numVirtualTokens), ...limits }, signal, defences);
  // A record that the gateway would not take is rejected like any other.
  const reader = new RecordReader(bundle.tokenizer, { ...options, maxLength: Math.min(options.maxLength, limits.maxTokensPerBatch) });
  return {
    backboneDigest: bundle.manifest.backboneDigest,
    recipe: recipeDigest({ ...flags, ...parting }),
    read: (record, source) => reader.read(record, source),
    first: (dir) => first.save(dir),
    async train({ runDir, from, examples, signal: stop }: TrainingTask) {
      const task: ResolvedTrainFlags = { ...flags, initAdapter: from, out: runDir, resume: true };
      const prepared = await prepareTraining(task, session, stop, examples);
      return (await prepared.run(task, onEvent)).adapterDir;
    },
    async measure(adapterDir, examples: readonly Example[], stop) {
      const adapter = await loadAdapter(adapterDir, { bundle });
      const scores: ExampleScore[] = new Array(examples.length);
      await evaluate(model, adapter, examples, { ...limits, signal: stop, onScore: (index, score) => (scores[index] = score) });
      return scores;
    },
  };
}
