/** The packed halves, composed, against transformers' values in test/fixtures: every fixture, at every cut of the table, with every kind of adapter; `npm test` has every second fixture. */
import assert from 'node:assert/strict';
import { spanKinds } from '../../src/artifacts/manifest.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { depth, every } from '../support/exhaustive.js';
import { maxRelativeError, PackedModel, positionsTensor, readReference } from '../support/packed-model.js';
import {
  crossingErrors,
  type Errors,
  forwardErrors,
  GRADIENT_TOLERANCE,
  gradientErrors,
  LOGITS_TOLERANCE,
  lossErrors,
  type References,
} from '../support/reference-errors.js';
import { referenceFixtures } from '../support/reference-fixtures.js';

type CutAt = readonly [bottom: number, top: number];

/** The cut that runs every graph of both sides. */
const middle: CutAt = [1, 1];
const cuts = depth<readonly CutAt[]>([middle, [0, 0], [1, 0], [0, 1]], [middle]);
/** Other cuts, for some. */
const others: Readonly<Record<string, readonly CutAt[]>> = {
  'llama-tiny': [[1, 2]],
  ...depth<Readonly<Record<string, readonly CutAt[]>>>({ 'gpt2-tiny': [[2, 1]], 'llama3-tiny': [[3, 0]] }, { 'gpt2-tiny': [[0, 0]] }),
};

/** Every error within its tolerance; one that has none of its own has `tolerance`. */
function assertWithin(errors: Errors, tolerance: number, others: Errors = {}): void {
  for (const [name, error] of Object.entries(errors)) {
    const limit = others[name] ?? tolerance;
    assert.ok(error <= limit, `${name}: error ${error.toExponential(2)}, tolerance ${limit}`);
  }
}

for (const { name: fixture, dir, document } of every(5, referenceFixtures())) {
  for (const [bottom, top] of [...cuts, ...(others[fixture] ?? [])]) {
    describe(`conformance: ${fixture} cut at bottom ${bottom}, top ${top}`, () => {
      let model: PackedModel;
      let value: (key: string) => Tensor<'float32'>;

      before(async () => {
        model = await PackedModel.fixture(fixture, bottom, top);
        value = await readReference(dir);
      });
      after(() => model?.close());

      it('embeds tokens as transformers does', async () => {
        const { inputsEmbeds } = await model.run('client', model.bundle.manifest.graphs.embed, { tokenIds: value('tokenIds') });
        assert.deepEqual(inputsEmbeds!.data, value('inputsEmbeds').data);
      });

      const batches: readonly (readonly [suffix: string, references: () => References])[] = [
        ['', () => ({ value, batch: document.batch })],
        ...(document.short === undefined
          ? []
          : [
              [
                ', within the original context',
                () => ({ value: (key: string) => value(`short.${key}`), batch: document.short!.batch }),
              ] as const,
            ]),
      ];
      for (const [suffix, references] of batches) {
        for (const kind of spanKinds) {
          it(`${kind}${suffix}: gives transformers' hidden states and logits for every real row`, async () => {
            assertWithin(await forwardErrors(model, references(), kind), LOGITS_TOLERANCE);
          });

          it(`${kind}${suffix}: gives transformers' gradients with respect to embeddings and adapter, zero on padding`, async () => {
            assertWithin(await gradientErrors(model, references(), kind), GRADIENT_TOLERANCE, { padding: 0 });
          });

          it(`${kind}${suffix}: gives transformers' loss and its gradients through loss.onnx, in chunks as in one piece`, async () => {
            assertWithin(await lossErrors(model, references(), kind), GRADIENT_TOLERANCE, { loss: LOGITS_TOLERANCE, chunks: 1e-6 });
          });

          if (bottom === 1 && top === 1) {
            it(`${kind}${suffix}: sends and receives transformers' hidden states and cotangents at the cut`, async () => {
              const errors = await crossingErrors(model, references(), kind);
              assertWithin(errors, GRADIENT_TOLERANCE, { hiddenStates: LOGITS_TOLERANCE, output: LOGITS_TOLERANCE });
            });
          }
        }
      }

      it('tells the negative log-likelihood of each label, and whether it is the most likely token, as transformers’ logits do', async () => {
        const logits = value('none.logits');
        const [N, V] = logits.shape as readonly [number, number];
        const rows = value(`none.hidden.${model.backbone.manifest.cut.numLayers}`);
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
          [...out.loss!.data, ...out.cotangent!.data].every((element) => element === 0),
          'rows of weight 0 add nothing',
        );
      });
    });
  }
}
