/** What to change on the command line when training fails: which flag, and to what. */
import { CutlayerError, type ErrorCode } from '../../../../src/errors.js';
import { defaultLearningRate } from '../../adapters/registry.js';
import { isRead } from '../../adapters/setting-table.js';
import type { TrainFlags } from './train-options-table.js';

export type AdviceFlags = Pick<
  TrainFlags,
  | 'batch'
  | 'accumulation'
  | 'pipeline'
  | 'maxTokens'
  | 'maxLength'
  | 'overlong'
  | 'clip'
  | 'warmup'
  | 'deadline'
  | 'retryFor'
  | 'virtualTokens'
  | 'method'
  | 'encoder'
  | 'prefixProjection'
  | 'out'
> & { readonly lr: number };

/** The run's own figures, as far as they are known when it fails. */
export interface RunFigures {
  readonly totalSteps?: number;
  /** Rows that a micro-batch may have. */
  readonly maxTokensPerBatch?: number;
  /** Tokens of the longest example. */
  readonly longest?: number;
}

type Adviser = (flags: AdviceFlags, run: RunFigures, error: CutlayerError) => readonly string[];

/** The flag of each setting that a resumed run must keep. */
const flagOfSetting: Readonly<Record<string, string>> = {
  learningRate: '--lr',
  batchSize: '--batch',
  maxTokensPerBatch: '--max-tokens',
  totalSteps: '--steps (or --epochs)',
  wireDtype: '--wire',
  method: '--method',
  virtualTokens: '--virtual-tokens',
  accumulation: '--accumulation',
  seed: '--seed',
  schedule: '--schedule',
  warmup: '--warmup',
  weightDecay: '--weight-decay',
  clip: '--clip',
  dpClipNorm: '--dp-clip-norm',
  dpNoiseMultiplier: '--dp-noise-multiplier',
};

/** What a run that cannot be resumed may do instead. */
function insteadOfResuming(checkpoint: unknown): readonly string[] {
  return typeof checkpoint === 'string' ? [`begin another run from what it learned: --init-adapter ${checkpoint} and a new --out`] : [];
}

/** By code; others have no advice of the command line's. */
const advisers: { readonly [Code in ErrorCode]?: Adviser } = {
  DIVERGED: (flags, { totalSteps }, { details }) => [
    `lower the learning rate: --lr ${round(lowerRate(flags, details.sinceStep === undefined ? 10 : 3))} (it was ${round(flags.lr)})`,
    flags.clip === 0 ? 'clip the gradient: --clip 1' : `clip more tightly: --clip ${round(flags.clip / 4)} (it was ${round(flags.clip)})`,
    ...(flags.warmup === 0 ? [`let the rate rise slowly: --warmup ${Math.max(1, Math.round((totalSteps ?? 100) / 20))}`] : []),
    ...(typeof details.checkpoint === 'string' ? [`start from what was good: --init-adapter ${details.checkpoint} and a new --out`] : []),
  ],
  LIMIT_EXCEEDED: (flags, run) => [
    ...smallerBatches(flags, run),
    ...(isRead('virtualTokens', flags.method) ? [`fewer virtual tokens: --virtual-tokens ${half(flags.virtualTokens)}`] : []),
  ],
  MESSAGE_TOO_LARGE: (flags, run) => [...smallerBatches(flags, run), 'smaller numbers on the wire: --wire bf16 or --wire int8'],
  QUEUE_FULL: (flags) => [
    'the gateway has more work than it takes at a time',
    ...(flags.pipeline > 1 ? [`send less at a time: --pipeline 1 (it was ${flags.pipeline})`] : []),
    `wait longer: --retry-for ${Math.round(flags.retryFor * 4)} (it was ${flags.retryFor} s)`,
  ],
  STEP_EVICTED: (flags, run) => [
    'the gateway has too little memory to keep a step from forward to backward',
    ...(flags.pipeline > 1 ? [`keep fewer steps there: --pipeline 1 (it was ${flags.pipeline})`] : []),
    ...smallerBatches(flags, run),
  ],
  DEADLINE_EXCEEDED: (flags, run) => [
    `give each call more time: --deadline ${Math.round(flags.deadline * 4)} (it was ${flags.deadline} s)`,
    ...smallerBatches(flags, run),
  ],
  ALREADY_EXISTS: ({ out }) => [
    `go on with that run: the same command plus --resume`,
    `keep it and begin another: an --out other than ${out}`,
  ],
  INVALID_CONFIG: ({ out }, _, { details: { setting, before, checkpoint } }) => {
    if (typeof setting !== 'string') return [];
    const flag = flagOfSetting[setting];
    const kept =
      flag !== undefined && before !== 'nothing'
        ? `go on as it was: ${flag} ${before}`
        : `go on with the ${setting === 'data' ? '--data' : 'options'} that it began with; they are in ${out}/config.yaml`;
    return [kept, ...insteadOfResuming(checkpoint)];
  },
  ADAPTER_MISMATCH: ({ out }) => [
    `go on with the --method and sizes that the run began with; they are in ${out}/config.yaml`,
    'or pass another --out',
  ],
  OUT_OF_MEMORY: (flags, run) => [
    ...(flags.pipeline > 1 ? [`hold fewer micro-batches at a time: --pipeline 1 (it was ${flags.pipeline})`] : []),
    ...smallerBatches(flags, run),
  ],
};

/** The error with advice in its message; as it is where there is none. */
export function withAdvice(caught: unknown, flags: AdviceFlags, run: RunFigures): CutlayerError {
  const error = CutlayerError.from(caught);
  const advice = advisers[error.code]?.(flags, run, error) ?? [];
  if (advice.length === 0) return error;
  const { code, message, details } = error;
  return new CutlayerError(code, `${message}\n${advice.map((line) => `  - ${line}`).join('\n')}`, { details, cause: error.cause ?? error });
}

/** Falls further for a rate that went to infinity at once, and to the method's own at least. */
function lowerRate(flags: AdviceFlags, divisor: number): number {
  return Math.min(flags.lr / divisor, defaultLearningRate(flags.method, flags));
}

/** The same optimizer batch from smaller micro-batches; of single sequences, shorter ones. */
function smallerBatches({ batch, accumulation, maxTokens }: AdviceFlags, { maxTokensPerBatch, longest }: RunFigures): readonly string[] {
  if (batch > 1) {
    const smaller = half(batch);
    const rows = maxTokens ?? maxTokensPerBatch;
    const byRows = rows === undefined ? '' : `, or by rows: --max-tokens ${half(rows)}`;
    return [
      `smaller micro-batches, as many examples per step: --batch ${smaller} --accumulation ${Math.ceil((batch * accumulation) / smaller)} (it was ${batch} x ${accumulation})${byRows}`,
    ];
  }
  const length = longest === undefined ? 'half of the longest example' : `${half(longest)}`;
  return [`shorter examples: --max-length ${length} with --overlong truncate or skip`];
}

/**
 * Checks examples against what a batch may hold, before any step is taken.
 * @throws CutlayerError LIMIT_EXCEEDED naming the first one, the limit and the flags
 */
export function checkFits(
  examples: readonly { readonly tokenIds: { readonly length: number }; readonly source: string }[],
  limits: { readonly maxTokensPerBatch: number },
  maxTokens: number | undefined,
): void {
  const limit = limits.maxTokensPerBatch;
  const over = examples.filter(({ tokenIds }) => tokenIds.length > limit);
  const [first] = over;
  if (first === undefined) return;
  const longest = over.reduce((most, { tokenIds }) => Math.max(most, tokenIds.length), 0);
  const whose = maxTokens !== undefined && maxTokens <= limit ? `--max-tokens ${maxTokens}` : "the gateway's limit";
  const wider = whose === "the gateway's limit" ? '' : `, or --max-tokens ${longest}`;
  throw new CutlayerError(
    'LIMIT_EXCEEDED',
    `${first.source}: ${first.tokenIds.length} tokens, but a batch may have ${limit} rows (${whose}); ${over.length} of ${examples.length} examples are ` +
      `longer, the longest has ${longest}: pass --max-length ${limit} with --overlong truncate or skip${wider}`,
    { details: { limit, longest } },
  );
}

const half = (value: number): number => Math.max(1, Math.floor(value / 2));

/** Two significant digits, without needless zeros. */
function round(value: number): string {
  return String(Number(value.toPrecision(2)));
}
