/** The packed halves, composed, against transformers' values in test/fixtures, at several cuts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AdapterKind, adapterKinds } from '../../src/artifacts/manifest.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';
import {
  type Adapter,
  fixtureDir,
  maxRelativeError,
  PackedModel,
  positionsTensor,
  readReference,
  scatterRows,
  takeRows,
} from '../support/packed-model.js';

const LOGITS_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 1e-4;

const cases: readonly (readonly [fixture: string, cuts: readonly (readonly [bottom: number, top: number])[]])[] = [
  ['gpt2-tiny', [[0, 0], [1, 0], [0, 1], [1, 1], [2, 1]]], // biome-ignore format: a table
  ['llama-tiny', [[0, 0], [1, 0], [0, 1], [1, 1], [1, 2]]], // biome-ignore format: a table
  ['llama3-tiny', [[0, 0], [1, 1], [3, 0]]], // biome-ignore format: a table
  ['llama31-bf16-sharded', [[0, 0], [1, 1]]], // biome-ignore format: a table
  ['gpt2-f16-hub', [[0, 0], [1, 1]]], // biome-ignore format: a table
];

interface Batch {
  readonly labels: readonly (readonly number[])[];
  readonly lengths: readonly number[];
}

const rowsOf = (positions: Tensor): number[] => Array.from(positions.data as BigInt64Array, Number);

for (const [fixture, cuts] of cases) {
  for (const [bottom, top] of cuts) {
    describe(`conformance: ${fixture} cut at bottom ${bottom}, top ${top}`, () => {
      let model: PackedModel;
      let reference: (key: string) => Tensor<'float32'>;
      const adapterOf = (kind: AdapterKind): Adapter => (kind === 'none' ? { kind } : { kind, value: reference(kind) });

      before(async () => {
        model = await PackedModel.pack(fixtureDir(fixture), bottom, top);
        reference = await readReference(fixture);
      });
      after(() => model.close());

      it('embeds tokens as transformers does', async () => {
        const { inputsEmbeds } = await model.run('client', model.bundle.manifest.graphs.embed, { tokenIds: reference('tokenIds') });
        assert.deepEqual(inputsEmbeds!.data, reference('inputsEmbeds').data);
      });

      for (const kind of adapterKinds) {
        it(`${kind}: gives transformers' hidden states and logits for every real row`, async () => {
          const { rows } = await model.forward(reference('inputsEmbeds'), adapterOf(kind), rowsOf(reference(`${kind}.positions`)));
          const { logits } = await model.run('client', model.bundle.manifest.graphs.head.plain, { rows });
          const numLayers = model.backbone.manifest.cut.numLayers;
          assert.ok(maxRelativeError(rows, reference(`${kind}.hidden.${numLayers}`)) < LOGITS_TOLERANCE);
          assert.ok(maxRelativeError(logits!, reference(`${kind}.logits`)) < LOGITS_TOLERANCE);
        });

        it(`${kind}: gives transformers' gradients with respect to embeddings and adapter, zero on padding`, async () => {
          const positions = rowsOf(reference(`${kind}.positions`));
          const step = await model.forward(reference('inputsEmbeds'), adapterOf(kind), positions);
          const numLayers = model.backbone.manifest.cut.numLayers;
          const { inputsEmbeds, adapter } = await step.backward(reference(`${kind}.hiddenCotangent.${numLayers}`));
          assert.ok(maxRelativeError(inputsEmbeds, reference(`${kind}.inputsEmbedsCotangent`)) < GRADIENT_TOLERANCE);
          if (kind !== 'none') assert.ok(maxRelativeError(adapter!, reference(`${kind}.${kind}Cotangent`)) < GRADIENT_TOLERANCE);
          const [B, S, d] = inputsEmbeds.shape as readonly [number, number, number];
          const promptRows = kind === 'softPrompt' ? reference(kind).shape[0]! : 0;
          const real = new Set(positions);
          const padding = Array.from({ length: B * S }, (_, row) => row).filter((row) => !real.has(promptRows + row));
          assert.ok(padding.length > 0 && takeRows(f32([B * S, d], inputsEmbeds.data), padding).data.every((value) => value === 0));
        });

        it(`${kind}: gives transformers' loss and its gradients through the loss graph, in chunks as in one piece`, async () => {
          const { labels, lengths } = (JSON.parse(readFileSync(join(fixtureDir(fixture), 'reference.json'), 'utf8')) as { batch: Batch })
            .batch;
          const targets = lossTargets(labels, lengths, kind === 'softPrompt' ? reference(kind).shape[0]! : 0);
          const positions = [...new Set(targets.map(({ row }) => row))].sort((a, b) => a - b);
          const step = await model.forward(reference('inputsEmbeds'), adapterOf(kind), positions);
          const whole = await runLoss(model, step.rows as Tensor<'float32'>, positions, targets, targets.length);
          const chunked = await runLoss(model, step.rows as Tensor<'float32'>, positions, targets, 3);
          assert.ok(maxRelativeError(whole.loss, reference(`${kind}.loss`)) < LOGITS_TOLERANCE);
          assert.ok(maxRelativeError(chunked.loss, whole.loss) < 1e-6 && maxRelativeError(chunked.cotangent, whole.cotangent) < 1e-6);
          const { inputsEmbeds, adapter } = await step.backward(whole.cotangent);
          assert.ok(maxRelativeError(inputsEmbeds, reference(`${kind}.lossInputsEmbedsCotangent`)) < GRADIENT_TOLERANCE);
          const name = kind === 'softPrompt' ? 'lossSoftPromptCotangent' : 'lossPrefixCotangent';
          if (kind !== 'none') assert.ok(maxRelativeError(adapter!, reference(`${kind}.${name}`)) < GRADIENT_TOLERANCE);
        });
      }

      it('tells the negative log-likelihood of each label, and whether it is the most likely token, as transformers’ logits do', async () => {
        const logits = reference('none.logits');
        const [N, V] = logits.shape as readonly [number, number];
        const rows = reference(`none.hidden.${model.backbone.manifest.cut.numLayers}`);
        const rowOf = (row: number): Float32Array => logits.data.subarray(row * V, (row + 1) * V);
        const best = Array.from({ length: N }, (_, row) => rowOf(row).indexOf(Math.max(...rowOf(row))));
        const labels = best.map((label, row) => (row % 2 === 0 ? label : (label + 1) % V));
        const out = await model.run('client', model.bundle.manifest.graphs.loss.plain, {
          rows,
          labels: positionsTensor(labels),
          weights: f32([N], new Float32Array(N)),
        });
        const nll = labels.map((label, row) => {
          const top = Math.max(...rowOf(row));
          return top + Math.log(rowOf(row).reduce((sum, z) => sum + Math.exp(z - top), 0)) - rowOf(row)[label]!;
        });
        assert.ok(maxRelativeError(out.nll!, f32([N], nll)) < LOGITS_TOLERANCE);
        assert.deepEqual(
          [...out.correct!.data],
          best.map((_, row) => (row % 2 === 0 ? 1 : 0)),
        );
        assert.ok(
          [...out.loss!.data, ...out.cotangent!.data].every((value) => value === 0),
          'rows of weight 0 add nothing',
        );
      });

      if (bottom === 1 && top === 1) {
        for (const kind of adapterKinds) {
          it(`${kind}: sends and receives transformers' hidden states and cotangents at the cut`, async () => {
            const numLayers = model.backbone.manifest.cut.numLayers;
            const positions = rowsOf(reference(`${kind}.positions`));
            const step = await model.forward(reference('inputsEmbeds'), adapterOf(kind), positions);
            const { crossing } = await step.backward(reference(`${kind}.hiddenCotangent.${numLayers}`));
            const promptRows = kind === 'softPrompt' ? reference(kind).shape[0]! : 0;
            const at = (value: Tensor): Tensor => takeRows(value as Tensor<'float32'>, positions);
            assert.ok(maxRelativeError(at(flatRows(step.crossing)), reference(`${kind}.hidden.1`)) < LOGITS_TOLERANCE);
            assert.ok(maxRelativeError(at(step.crossing.output), reference(`${kind}.hidden.${numLayers - 1}`)) < LOGITS_TOLERANCE);
            assert.ok(maxRelativeError(at(flatRows(crossing)), reference(`${kind}.hiddenCotangent.1`)) < GRADIENT_TOLERANCE);
            assert.ok(maxRelativeError(at(crossing.output), reference(`${kind}.hiddenCotangent.${numLayers - 1}`)) < GRADIENT_TOLERANCE);
            assert.equal(
              crossing.output.shape[0],
              promptRows + step.crossing.hiddenStates.shape[0]! * step.crossing.hiddenStates.shape[1]!,
            );
          });
        }
      }
    });
  }
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

/** transformers' causal loss as rows and labels: row t predicts token t + 1; the last virtual row predicts every first token. */
function lossTargets(labels: Batch['labels'], lengths: Batch['lengths'], promptRows: number): Target[] {
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
