/**
 * One training step of each method through a gateway in its own process over TLS, against PEFT on
 * torch, in pairs. PEFT has no full training, so that is plain torch. Also the bytes of tensors
 * that a step sends. Methods that train blocks use a model cut at (1, 1), the others one that is
 * not cut.
 */
import type { AdapterContext, AdapterModel } from '../clients/typescript/adapters/context.js';
import { createAdapter } from '../clients/typescript/adapters/registry.js';
import type { MethodSettingsInput } from '../clients/typescript/adapters/setting-table.js';
import { type ClientBundle, TrainingClient } from '../clients/typescript/index.js';
import type { StepSize } from './compiler.js';
import { elapsedMs, median, paired } from './paired.js';
import { startPeft } from './peft.js';
import { type ExampleExtras, randomExamples } from './random-examples.js';
import type { Report } from './report.js';
import { type Model, openOwnSession, type Session } from './session.js';

/** Sizes shared by both sides. */
const [ENCODER, TASKS, TOKENS, CLASSES] = [768, 2, 16, 4];

/** A method on both sides. */
interface MethodRow {
  /** The row of METHODS in peft_baseline.py. */
  readonly name: string;
  readonly method: string;
  readonly settings: MethodSettingsInput;
  readonly extras?: ExampleExtras;
}

const tokenTexts = Array.from({ length: TOKENS }, (_, id) => String(id));
const classNames = Array.from({ length: CLASSES }, (_, id) => `class ${id}`);
const taskNames = Array.from({ length: TASKS }, (_, id) => `task ${id}`);

const uncutRows: readonly MethodRow[] = [
  { name: 'prompt-tuning', method: 'prompt-tuning', settings: {} },
  { name: 'p-tuning', method: 'p-tuning', settings: { encoderHidden: ENCODER } },
  { name: 'p-tuning-lstm', method: 'p-tuning', settings: { encoder: 'LSTM', encoderHidden: ENCODER } },
  { name: 'prefix-tuning', method: 'prefix-tuning', settings: {} },
  { name: 'prefix-projection', method: 'prefix-tuning', settings: { prefixProjection: true, encoderHidden: ENCODER } },
  { name: 'multitask-prompt-tuning', method: 'multitask-prompt-tuning', settings: { tasks: taskNames }, extras: { tasks: TASKS } },
  { name: 'trainable-tokens', method: 'trainable-tokens', settings: { tokens: tokenTexts }, extras: { tokens: TOKENS } },
  { name: 'lora-head', method: 'lora', settings: { targets: ['lm_head'] } },
  {
    name: 'classification-head',
    method: 'prompt-tuning+classification-head',
    settings: { labels: classNames },
    extras: { classes: CLASSES },
  },
];
const heldRows: readonly MethodRow[] = [
  { name: 'lora', method: 'lora', settings: {} },
  { name: 'full', method: 'full', settings: {} },
];

/** Measures every method. @param held The same checkpoint cut at (1, 1). */
export async function benchMethods(
  report: Report,
  { uncut, held }: { readonly uncut: Model; readonly held: Model },
  size: StepSize,
  rounds: number,
  python: string | undefined,
): Promise<void> {
  for (const [model, rows] of [
    [uncut, uncutRows],
    [held, heldRows],
  ] as const) {
    const session = await openOwnSession(model);
    try {
      for (const row of rows) await benchMethod(report, session, model, row, size, rounds, python);
    } finally {
      await session.close();
    }
  }
}

async function benchMethod(
  report: Report,
  { bundle, connection }: Session,
  model: Model,
  row: MethodRow,
  size: StepSize,
  rounds: number,
  python: string | undefined,
): Promise<void> {
  const title = `${row.name}, ${model.name}, ${size.batch} x ${size.sequence} + ${size.virtualTokens}`;
  const adapter = await createAdapter(byId(bundle), row.method, { virtualTokens: size.virtualTokens, seed: 1, ...row.settings });
  const client = new TrainingClient(bundle, connection, adapter, { learningRate: 1e-3 });
  const examples = randomExamples(bundle.vocabSize, size, row.extras);
  const step = async (): Promise<void> => {
    void client.forwardBackward(examples);
    await client.optimStep();
  };
  const { bytesUp, bytesDown } = connection.counters;
  await step();
  const { counters } = connection;
  const sent = `${counters.bytesUp - bytesUp} up, ${counters.bytesDown - bytesDown} down`;
  report.add(`bytes per step, ${title} (${sent})`, counters.bytesUp - bytesUp + (counters.bytesDown - bytesDown), 'bytes');

  const layers = [0, bundle.dims.bottom + bundle.dims.backbone + bundle.dims.top - 1];
  const extras = [
    '--method',
    row.name,
    '--layers',
    layers,
    '--encoder-hidden',
    ENCODER,
    '--tasks',
    TASKS,
    '--tokens',
    TOKENS,
    '--classes',
    CLASSES,
  ];
  const peft = await startPeft(python, model.checkpointDir, size, extras.map(String));
  const rate = (ms: number): number => (size.batch * size.sequence) / (ms / 1000);
  if (peft === undefined) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await elapsedMs(step));
    report.note(`${row.name}: no baseline, no python with torch, transformers and peft (name one with --python)`);
    report.add(`tokens per second, ${title}`, rate(median(times)), 'tokens/s');
    return;
  }
  const pair = await paired(step, peft.step, rounds);
  await peft.close();
  const name = row.name === 'full' ? 'plain torch on the CPU' : 'PEFT on torch CPU';
  report.add(`tokens per second, ${title}`, rate(pair.aMs), 'tokens/s', {
    baseline: `${name}, ${rate(pair.bMs).toFixed(0)} tokens/s`,
    ratio: 1 / pair.ratio,
  });
}

/** Each wire element type's bytes and effect on prompt tuning's losses, against f32. */
export async function benchWireDtypes(report: Report, model: Model, size: StepSize, steps: number): Promise<void> {
  const title = `${model.name}, ${size.batch} x ${size.sequence} + ${size.virtualTokens}`;
  let exact: WireCurve | undefined;
  for (const dtype of ['f32', 'f16', 'bf16', 'int8'] as const) {
    const session = await openOwnSession(model, { wireDtype: dtype });
    const curve = await wireCurve(session, size, steps).finally(() => session.close());
    exact ??= curve;
    const reference = exact;
    report.add(`bytes per step, ${dtype} on the wire, ${title}`, curve.bytes, 'bytes', {
      baseline: 'f32',
      ratio: curve.bytes / reference.bytes,
    });
    const off = curve.losses.map((loss, step) => Math.abs(loss - reference.losses[step]!) / reference.losses[step]!);
    report.add(`largest relative difference of a loss in ${steps} steps, ${dtype} on the wire, ${title}`, 1e6 * Math.max(...off), 'ppm', {
      baseline: `f32, from ${reference.losses[0]!.toFixed(4)} to ${reference.losses.at(-1)!.toFixed(4)}`,
      // The loss reduction of the training, against that with f32.
      ratio: (curve.losses[0]! - curve.losses.at(-1)!) / (reference.losses[0]! - reference.losses.at(-1)!),
    });
  }
}

/** Losses before each step, and the bytes of one. */
interface WireCurve {
  readonly losses: readonly number[];
  readonly bytes: number;
}

async function wireCurve({ bundle, connection }: Session, size: StepSize, steps: number): Promise<WireCurve> {
  const adapter = await createAdapter({ bundle }, 'prompt-tuning', { virtualTokens: size.virtualTokens, seed: 1 });
  const client = new TrainingClient(bundle, connection, adapter, { learningRate: 1e-2 });
  const examples = randomExamples(bundle.vocabSize, size);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    void client.forwardBackward(examples);
    losses.push((await client.optimStep()).loss);
  }
  return { losses, bytes: (connection.counters.bytesUp + connection.counters.bytesDown) / steps };
}

/** The bundle with token ids instead of texts: random checkpoints have no tokenizer. */
function byId(bundle: ClientBundle): AdapterContext {
  const model: AdapterModel = new Proxy(bundle, {
    get(target, key) {
      if (key === 'encode') return (text: string) => [Number(text)];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { bundle: model };
}
