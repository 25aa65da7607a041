/** The work of `cutlayer client train`. */
import { CutlayerError } from '../../../src/errors.js';
import type { AdapterKind } from '../adapters/adapter.js';
import { loadAdapter } from '../adapters/load.js';
import { Prefix } from '../adapters/prefix.js';
import { SoftPrompt } from '../adapters/soft-prompt.js';
import type { SpanAdapter as Adapter } from '../adapters/span-adapter.js';
import type { ClientBundle } from '../client-bundle.js';
import { type Example, loadExamples } from '../data/examples.js';
import { batchLimits } from '../evaluate.js';
import { schedule } from '../optimizers/schedule.js';
import { RemoteModel } from '../remote-model.js';
import { SplitModel } from '../split-model.js';
import { stepsOfEpochs, train } from '../train.js';
import type { TrainSummary } from '../train-options.js';
import { TrainingClient } from '../training-client.js';
import { interruptible, progressReporter } from './progress.js';
import { openSession } from './session.js';
import type { TrainFlags } from './train-command.js';

const kinds: Readonly<Record<TrainFlags['adapter'], AdapterKind>> = { 'soft-prompt': 'softPrompt', prefix: 'prefix' };

/** Runs the command. @throws CutlayerError */
export async function runTrain(flags: TrainFlags): Promise<void> {
  const progress = progressReporter();
  await interruptible(async (signal) => {
    const session = await openSession(flags, signal, progress.onRetry);
    try {
      const { bundle, connection } = session;
      // Before any work: does this bundle belong to this gateway?
      const model = new SplitModel(bundle, new RemoteModel(connection));
      const room = model.maxLength(flags.virtualTokens);
      const reading = { maxLength: Math.min(flags.maxLength ?? room, room), overlong: flags.overlong, appendEos: flags.eos, signal };
      const examples = await loadExamples(flags.data, bundle.tokenizer, reading);
      const validation = flags.validation === undefined ? undefined : await loadExamples(flags.validation, bundle.tokenizer, reading);
      const adapter = await newAdapter(bundle, flags);
      const totalSteps = flags.steps ?? epochSteps(flags, examples, model, adapter);
      const client = new TrainingClient(bundle, connection, adapter, {
        learningRate: flags.lr,
        schedule: schedule(flags.schedule, { warmupSteps: flags.warmup, totalSteps }),
        optimizer: { weightDecay: flags.weightDecay },
        maxGradNorm: flags.clip === 0 ? undefined : flags.clip,
        pipelineDepth: flags.pipeline,
      });
      const summary = await train(client, {
        outDir: flags.out,
        examples,
        validation,
        totalSteps,
        batchSize: flags.batch,
        maxTokensPerBatch: flags.maxTokens,
        accumulation: flags.accumulation,
        seed: flags.seed,
        checkpointEvery: flags.checkpointEvery,
        evalEvery: flags.evalEvery,
        patience: flags.patience,
        resume: flags.resume,
        settings: { schedule: flags.schedule, warmup: flags.warmup, weightDecay: flags.weightDecay, clip: flags.clip },
        signal,
        onEvent: progress.onEvent,
      });
      progress.stop();
      report(summary, flags.out);
    } finally {
      progress.stop();
      await session.close();
    }
  });
}

async function newAdapter(bundle: ClientBundle, flags: TrainFlags): Promise<Adapter> {
  if (flags.initAdapter !== undefined) {
    const adapter = await loadAdapter(flags.initAdapter, bundle.dims);
    if (adapter.kind === kinds[flags.adapter] && adapter.numVirtualTokens === flags.virtualTokens) return adapter;
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `--init-adapter ${flags.initAdapter}: is a ${adapter.kind} of ${adapter.numVirtualTokens} virtual tokens; ` +
        'pass the same --adapter and --virtual-tokens',
    );
  }
  if (flags.adapter === 'prefix') return Prefix.create(bundle.dims, flags.virtualTokens, { seed: flags.seed });
  if (flags.init !== 'TEXT') return SoftPrompt.create(bundle, flags.virtualTokens, { init: flags.init, seed: flags.seed });
  if (flags.initText === undefined) throw new CutlayerError('INVALID_ARGUMENT', '--init TEXT: pass the text with --init-text');
  return SoftPrompt.create(bundle, flags.virtualTokens, { init: 'TEXT', text: flags.initText });
}

function epochSteps(flags: TrainFlags, examples: readonly Example[], model: SplitModel, adapter: Adapter): number {
  const limits = batchLimits(model, adapter, { batchSize: flags.batch, maxTokensPerBatch: flags.maxTokens });
  return stepsOfEpochs(examples, flags.epochs, { ...limits, seed: flags.seed, shuffle: true }, flags.accumulation);
}

function report(summary: TrainSummary, out: string): void {
  const loss = summary.bestValidationLoss ?? summary.loss;
  const which = summary.bestValidationLoss === undefined ? 'last training loss' : 'best validation loss';
  const end = loss === undefined ? '' : `, ${which} ${loss.toFixed(4)}`;
  if (summary.stopped === 'cancelled') {
    console.error(`Stopped after step ${summary.step}${end}. Checkpoint written; go on with the same command plus --resume.`);
    process.exitCode = 130;
    return;
  }
  const why = summary.stopped === 'patience' ? ' (validation loss no longer fell)' : '';
  console.error(`Done after step ${summary.step}${why}${end}. Adapter: ${summary.adapterDir ?? out}`);
}
