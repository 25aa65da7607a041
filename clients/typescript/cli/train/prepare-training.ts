/** From the options of `train` or `sweep` to runs: model, data, adapters and batch limits. */
import { CutlayerError } from '../../../../src/errors.js';
import { stderr } from '../../../../src/files/output.js';
import { seeded } from '../../../../src/tensor/random.js';
import type { Adapter } from '../../adapters/adapter.js';
import { Combined } from '../../adapters/combine.js';
import { firstMap } from '../../adapters/learned-map.js';
import { LearnedRows } from '../../adapters/learned-rows.js';
import { loadAdapter } from '../../adapters/load.js';
import { createAdapter, defaultLearningRate } from '../../adapters/registry.js';
import { settingReaders } from '../../adapters/setting-table.js';
import type { ChargedWork } from '../../connection/charged-work.js';
import { type Example, loadExamples, numbered } from '../../data/examples.js';
import { batchLimits } from '../../inference/batch-limits.js';
import { adapterDirectory } from '../../inspect/adapter-report.js';
import type { ClientBundle } from '../../model/client-bundle.js';
import { RemoteModel } from '../../model/remote-model.js';
import { rowDeviation } from '../../model/row-deviation.js';
import { SplitModel } from '../../model/split-model.js';
import { schedule } from '../../optimizers/schedule.js';
import { forecast } from '../../training/forecast.js';
import type { StepPrivacy } from '../../training/privacy/private-gradient-sum.js';
import type { RunPrivacy } from '../../training/privacy/run-ledger.js';
import { stepsOfEpochs } from '../../training/train.js';
import type { TrainEvent, TrainSummary } from '../../training/train-options.js';
import { TrainingClient } from '../../training/training-client.js';
import { TrainingRun } from '../../training/training-run.js';
import { exampleOptions } from '../example-options.js';
import type { Session } from '../session.js';
import { checkFits, type RunFigures, withAdvice } from './advice.js';
import { choosePrivacy } from './choose-privacy.js';
import { writeRunConfig } from './run-config.js';
import type { TrainFlags } from './train-options-table.js';

/** Options with every choice made: what a run's config.yaml holds. */
export type ResolvedTrainFlags = TrainFlags & { readonly lr: number };

/** Makes the choices that depend on others: a learning rate not given is the method's. */
export function resolveTrainFlags(flags: TrainFlags): ResolvedTrainFlags {
  return { ...flags, lr: flags.lr ?? defaultLearningRate(flags.method, flags) };
}

/** A model, data and options that fit each other. */
export interface PreparedTraining {
  readonly totalSteps: number;
  /** Trainable numbers of an adapter. */
  readonly parameters: number;
  /** What the gateway will charge for a whole run; at most, where one may stop early. */
  forecast(): Promise<ChargedWork>;
  /** Makes a new adapter and trains it. @throws CutlayerError with advice in its message */
  run(flags: ResolvedTrainFlags, onEvent: (event: TrainEvent) => void): Promise<TrainSummary>;
}

/**
 * Reads data and makes an adapter: errors come before any step.
 * @param given Instead of the examples in `flags.data`; such a run has no `config.yaml` of its own.
 * @throws CutlayerError
 */
export async function prepareTraining(
  flags: ResolvedTrainFlags,
  session: Session,
  signal: AbortSignal,
  given?: readonly Example[],
): Promise<PreparedTraining> {
  const { bundle, connection, defences } = session;
  // Before any work: does this bundle belong to this gateway?
  const model = new SplitModel(bundle, new RemoteModel(connection), undefined, defences);
  let adapter: Adapter | undefined = await newAdapter(flags, session, model, signal);
  const { numVirtualTokens } = adapter;
  const read = given ?? numbered('data', await readExamples(flags.data, flags, session, model, adapter, signal));
  const { examples, notes } = defences.relabelled(read, { classes: adapter.labels?.length, most: model.maxLength(numVirtualTokens) });
  for (const note of notes) stderr.line(`note: ${note}`);
  const validation =
    flags.validation === undefined
      ? undefined
      : numbered('validation', await readExamples(flags.validation, flags, session, model, adapter, signal));
  const limits = limitsOf(flags, model, adapter);
  for (const checked of [examples, validation ?? []]) checkFits(checked, limits, flags.maxTokens);
  const order = { ...limits, seed: flags.seed, shuffle: true };
  const totalSteps = flags.steps ?? stepsOf(flags, examples, order);
  const privacy = choosePrivacy(flags, { examples: examples.length, totalSteps });
  const longest = examples.reduce((most, { tokenIds }) => Math.max(most, tokenIds.length), 0);
  const figures: RunFigures = { totalSteps, maxTokensPerBatch: limits.maxTokensPerBatch + numVirtualTokens, longest };
  const parameters = adapter.parameters.reduce((sum, { value }) => sum + value.data.length, 0);
  return {
    totalSteps,
    parameters,
    async forecast() {
      const { accumulation, seed, checkpointEvery, evalEvery = checkpointEvery, dpClipNorm, batch } = flags;
      const expectedBatch = dpClipNorm === undefined ? undefined : batch * accumulation;
      const own = adapter ?? (await newAdapter(flags, session, model, signal));
      return forecast(model, own, { examples, validation, limits, totalSteps, accumulation, seed, evalEvery, expectedBatch });
    },
    async run(chosen, onEvent) {
      // The first run takes the adapter that is there; each later one starts from the same values.
      const fresh = adapter ?? (await newAdapter(chosen, session, model, signal));
      adapter = undefined;
      try {
        const client = newClient(chosen, session, fresh, totalSteps, privacy?.step);
        return await runToEnd(client, chosen, {
          examples,
          validation,
          totalSteps,
          privacy: privacy?.run,
          recorded: given === undefined,
          signal,
          onEvent,
        });
      } catch (caught) {
        throw withAdvice(caught, chosen, figures);
      }
    },
  };
}

/** Optimizer steps of `--epochs`; of a private run, for which an epoch is one on average. */
function stepsOf(flags: TrainFlags, examples: readonly Example[], order: Parameters<typeof stepsOfEpochs>[2]): number {
  const { epochs, batch, accumulation, dpClipNorm } = flags;
  if (dpClipNorm === undefined) return stepsOfEpochs(examples, epochs, order, accumulation);
  return Math.ceil((epochs * examples.length) / (batch * accumulation));
}

function newClient(
  flags: ResolvedTrainFlags,
  { bundle, connection, defences }: Session,
  adapter: Adapter,
  totalSteps: number,
  privacy: StepPrivacy | undefined,
): TrainingClient {
  return new TrainingClient(bundle, connection, adapter, {
    learningRate: flags.lr,
    schedule: schedule(flags.schedule, { warmupSteps: flags.warmup, totalSteps }),
    optimizer: { weightDecay: flags.weightDecay },
    maxGradNorm: flags.clip === 0 ? undefined : flags.clip,
    pipelineDepth: flags.pipeline,
    privacy,
    defences,
  });
}

/** What of a run its flags do not say. */
interface RunInputs {
  readonly examples: readonly Example[];
  readonly validation: readonly Example[] | undefined;
  readonly totalSteps: number;
  readonly privacy: RunPrivacy | undefined;
  /** Whether the run's directory gets a `config.yaml`. */
  readonly recorded: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: (event: TrainEvent) => void;
}

async function runToEnd(client: TrainingClient, flags: ResolvedTrainFlags, inputs: RunInputs): Promise<TrainSummary> {
  const { schedule, warmup, weightDecay, clip } = flags;
  const run = await TrainingRun.open(client, {
    ...inputs,
    outDir: flags.out,
    batchSize: flags.batch,
    maxTokensPerBatch: flags.maxTokens,
    accumulation: flags.accumulation,
    seed: flags.seed,
    checkpointEvery: flags.checkpointEvery,
    evalEvery: flags.evalEvery,
    patience: flags.patience,
    divergenceFactor: flags.divergenceFactor,
    tensorboard: flags.tensorboard,
    resume: flags.resume,
    settings: { schedule, warmup, weightDecay, clip },
  });
  try {
    if (inputs.recorded) await writeRunConfig(flags);
    return await run.toEnd();
  } finally {
    await run.close();
  }
}

function limitsOf(flags: TrainFlags, model: SplitModel, adapter: Adapter) {
  return batchLimits(model, adapter, { batchSize: flags.batch, maxTokensPerBatch: flags.maxTokens });
}

async function readExamples(
  file: string,
  flags: TrainFlags,
  { bundle }: Session,
  model: SplitModel,
  adapter: Adapter,
  signal: AbortSignal,
): Promise<readonly Example[]> {
  const room = model.maxLength(adapter.numVirtualTokens);
  const options = exampleOptions(flags, adapter, { room, ...limitsOf(flags, model, adapter) }, signal, model.defences);
  try {
    return await loadExamples(file, bundle.tokenizer, options);
  } catch (caught) {
    const error = CutlayerError.from(caught);
    if (error.code !== 'INVALID_DATA' || !/tokens, the most is/.test(error.message)) throw error;
    const wider = options.maxLength < room ? `, or --max-length up to ${room}` : '';
    throw new CutlayerError(error.code, `${error.message}: --overlong truncate or --overlong skip${wider}`, { cause: error });
  }
}

/** The adapter that a run begins from. @throws CutlayerError naming the flag */
export async function newAdapter(
  flags: TrainFlags,
  { bundle, connection }: Session,
  model: SplitModel,
  signal: AbortSignal,
): Promise<Adapter> {
  const context = { bundle, keyValues: (tokenIds: readonly number[]) => model.keyValues(tokenIds, signal) };
  const { initAdapter, method } = flags;
  const adapter = await (initAdapter === undefined
    ? createAdapter(context, method, methodSettingsOf(flags))
    : loadAdapter(await adapterDirectory(initAdapter), context));
  const transformed = adapter instanceof LearnedRows;
  const made = methodsOf(transformed ? adapter.inner : adapter);
  if (initAdapter !== undefined && [...made].sort().join() !== method.split('+').sort().join()) {
    throw new CutlayerError(
      'INVALID_ADAPTER',
      `--init-adapter ${initAdapter}: was made by ${made.join('+')}, but --method is ${method}; pass --method ${made.join('+')}`,
    );
  }
  const most = connection.card.limits.maxVirtualTokens;
  if (adapter.numVirtualTokens > most) {
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `--virtual-tokens ${adapter.numVirtualTokens}: the gateway takes at most ${most}; pass --virtual-tokens ${most} or fewer`,
    );
  }
  return withTransform(adapter, flags, bundle);
}

/** With a new transform of rows, where one is asked for and none is there. @throws CutlayerError */
async function withTransform(adapter: Adapter, { learnedNoise, initAdapter, seed }: TrainFlags, bundle: ClientBundle): Promise<Adapter> {
  const transformed = adapter instanceof LearnedRows;
  if (transformed && learnedNoise === undefined)
    throw new CutlayerError(
      'INVALID_OPTION',
      `--init-adapter ${initAdapter}: has a learned transform of rows, and its values have grown with it; pass --learned-noise`,
    );
  if (transformed || learnedNoise === undefined) return adapter;
  const map = firstMap(bundle.dims.hiddenSize, await rowDeviation(bundle), seeded(seed, TRANSFORM));
  return new LearnedRows(adapter, map);
}

/** Tells the draws of a transform's first values from those of other uses of the seed. */
const TRANSFORM = 0x7472616e;

function methodsOf(adapter: Adapter): readonly string[] {
  return adapter instanceof Combined ? adapter.adapters.map(({ method }) => method) : [adapter.method];
}

/** The options that are settings of methods. */
function methodSettingsOf(flags: TrainFlags): Parameters<typeof createAdapter>[2] {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => name === 'seed' || Object.hasOwn(settingReaders, name)));
}
