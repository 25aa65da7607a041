/**
 * How far a packed model is from reference values: the measurements that the committed and the live
 * conformance tests share.
 */
import type { SpanKind } from '../../src/artifacts/manifest.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { type Adapter, maxRelativeError, type PackedModel, positionsTensor, scatterRows, takeRows } from './packed-model.js';
import type { ReferenceBatch } from './reference-fixtures.js';

/** Tolerances of all conformance tests, as max|a - b| / max|b|. */
export const LOGITS_TOLERANCE = 1e-5;
/** See {@link LOGITS_TOLERANCE}. */
export const GRADIENT_TOLERANCE = 1e-4;

/** Reference values of one batch, by name. */
export interface References {
  readonly value: (key: string) => Tensor<'float32'>;
  readonly batch: ReferenceBatch;
}

/** Relative errors by what they are of. */
export type Errors = Readonly<Record<string, number>>;

/** Values that enter a forward, by kind. */
export function adapterOf({ value }: References, kind: SpanKind): Adapter {
  return kind === 'none' ? { kind } : { kind, value: value(kind) };
}

/** Row indexes of an int64 tensor. */
export function rowsOf(positions: Tensor): number[] {
  return Array.from(positions.data as BigInt64Array, Number);
}

/** Hidden states and logits of every real row. */
export async function forwardErrors(model: PackedModel, references: References, kind: SpanKind): Promise<Errors> {
  const { value } = references;
  const { rows } = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), rowsOf(value(`${kind}.positions`)));
  const { logits } = await model.run('client', model.bundle.manifest.graphs.head.plain, { rows });
  const { numLayers } = model.backbone.manifest.cut;
  return {
    hiddenStates: maxRelativeError(rows, value(`${kind}.hidden.${numLayers}`)),
    logits: maxRelativeError(logits!, value(`${kind}.logits`)),
  };
}

/**
 * Gradients with respect to embeddings and adapter of a cotangent of the logits; `padding` is 0
 * where padded rows have none.
 */
export async function gradientErrors(model: PackedModel, references: References, kind: SpanKind): Promise<Errors> {
  const { value } = references;
  const positions = rowsOf(value(`${kind}.positions`));
  const step = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), positions);
  const { inputsEmbeds, adapter } = await step.backward(value(`${kind}.hiddenCotangent.${model.backbone.manifest.cut.numLayers}`));
  const [B, S, d] = inputsEmbeds.shape as readonly [number, number, number];
  const promptRows = promptRowsOf(references, kind);
  const real = new Set(positions);
  const padding = Array.from({ length: B * S }, (_, row) => row).filter((row) => !real.has(promptRows + row));
  if (padding.length === 0) throw new Error('test: the reference batch has no padding');
  return {
    inputsEmbeds: maxRelativeError(inputsEmbeds, value(`${kind}.inputsEmbedsCotangent`)),
    ...(kind !== 'none' && { adapter: maxRelativeError(adapter!, value(`${kind}.${kind}Cotangent`)) }),
    padding: Math.max(...takeRows(f32([B * S, d], inputsEmbeds.data), padding).data.map(Math.abs)),
  };
}

/**
 * transformers' loss and its gradients through loss.onnx; `chunks` is what computing it in pieces
 * changes.
 */
export async function lossErrors(model: PackedModel, references: References, kind: SpanKind): Promise<Errors> {
  const { value, batch } = references;
  const targets = lossTargets(batch, promptRowsOf(references, kind));
  const positions = [...new Set(targets.map(({ row }) => row))].sort((a, b) => a - b);
  const step = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), positions);
  const whole = await runLoss(model, step.rows as Tensor<'float32'>, positions, targets, targets.length);
  const chunked = await runLoss(model, step.rows as Tensor<'float32'>, positions, targets, 3);
  const { inputsEmbeds, adapter } = await step.backward(whole.cotangent);
  const name = kind === 'softPrompt' ? 'lossSoftPromptCotangent' : 'lossPrefixCotangent';
  return {
    loss: maxRelativeError(whole.loss, value(`${kind}.loss`)),
    chunks: Math.max(maxRelativeError(chunked.loss, whole.loss), maxRelativeError(chunked.cotangent, whole.cotangent)),
    inputsEmbeds: maxRelativeError(inputsEmbeds, value(`${kind}.lossInputsEmbedsCotangent`)),
    ...(kind !== 'none' && { adapter: maxRelativeError(adapter!, value(`${kind}.${name}`)) }),
  };
}

/** What crosses the cut at bottom 1, top 1, in both directions. */
export async function crossingErrors(model: PackedModel, references: References, kind: SpanKind): Promise<Errors> {
  const { value } = references;
  const { numLayers } = model.backbone.manifest.cut;
  const positions = rowsOf(value(`${kind}.positions`));
  const step = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), positions);
  const { crossing } = await step.backward(value(`${kind}.hiddenCotangent.${numLayers}`));
  const at = (rows: Tensor): Tensor => takeRows(rows as Tensor<'float32'>, positions);
  return {
    hiddenStates: maxRelativeError(at(flatRows(step.crossing)), value(`${kind}.hidden.1`)),
    output: maxRelativeError(at(step.crossing.output), value(`${kind}.hidden.${numLayers - 1}`)),
    hiddenStatesCotangent: maxRelativeError(at(flatRows(crossing)), value(`${kind}.hiddenCotangent.1`)),
    outputCotangent: maxRelativeError(at(crossing.output), value(`${kind}.hiddenCotangent.${numLayers - 1}`)),
  };
}

function promptRowsOf({ value }: References, kind: SpanKind): number {
  return kind === 'softPrompt' ? value(kind).shape[0]! : 0;
}

/** Soft prompt rows, then text rows: [P + B * S, d]. */
function flatRows({ softPrompt, hiddenStates }: { readonly softPrompt?: Tensor; readonly hiddenStates: Tensor }): Tensor {
  const data = [...((softPrompt?.data ?? []) as Iterable<number>), ...(hiddenStates.data as Float32Array)];
  const d = hiddenStates.shape[2]!;
  return f32([data.length / d, d], data);
}

interface Target {
  readonly row: number;
  readonly label: number;
}

/**
 * transformers' causal loss as rows and labels: row t predicts token t + 1; the last virtual row
 * predicts every first token.
 */
function lossTargets({ labels, lengths }: ReferenceBatch, promptRows: number): Target[] {
  return labels.flatMap((sequence, b) =>
    sequence.slice(0, lengths[b]).flatMap((label, t): Target[] => {
      if (label < 0 || (t === 0 && promptRows === 0)) return [];
      return [{ label, row: t === 0 ? promptRows - 1 : promptRows + b * sequence.length + t - 1 }];
    }),
  );
}

async function runLoss(
  model: PackedModel,
  rows: Tensor<'float32'>,
  positions: readonly number[],
  targets: readonly Target[],
  chunk: number,
): Promise<{ readonly loss: Tensor; readonly cotangent: Tensor }> {
  let loss = 0;
  let cotangent = f32(rows.shape, new Float32Array(rows.data.length));
  for (let at = 0; at < targets.length; at += chunk) {
    const part = targets.slice(at, at + chunk);
    const picked = part.map(({ row }) => positions.indexOf(row));
    const out = await model.run('client', model.bundle.manifest.graphs.loss.plain, {
      rows: takeRows(rows, picked),
      labels: positionsTensor(part.map(({ label }) => label)),
      weights: f32(
        [part.length],
        part.map(() => 1 / targets.length),
      ),
    });
    loss += Number(out.loss!.data[0]);
    const spread = scatterRows(out.cotangent as Tensor<'float32'>, picked, rows.shape[0]!);
    cotangent = f32(
      rows.shape,
      cotangent.data.map((value, i) => value + spread.data[i]!),
    );
  }
  return { loss: tensor('float32', [], Float32Array.of(loss)), cotangent };
}
