/** A backbone with its weights as inputs: the same function as the packed one, and its gradient. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packedFeeds, wholeSequences } from '../../../../src/artifacts/row-feeds.js';
import { Student } from '../../../../src/commands/gateway/extraction/student.js';
import { describeModel } from '../../../../src/compiler/models/registry.js';
import { openGraphs } from '../../../../src/runtime/graphs.js';
import { readTensors, writeTensors } from '../../../../src/safetensors/tensors-file.js';
import { normalTensor, seeded } from '../../../../src/tensor/random.js';
import { f32, type Tensor, tensor } from '../../../../src/tensor/tensor.js';
import { depth } from '../../../support/exhaustive.js';
import { packedFixture } from '../../../support/packed-fixture.js';
import { fixtureDir, maxRelativeError } from '../../../support/packed-model.js';

for (const fixture of depth(['gpt2-tiny', 'gemma2-tiny', 'llama-tiny'], ['llama-tiny'])) {
  describe(`a trained backbone: ${fixture}`, () => {
    let dir: string;
    let student: Student;
    const hiddenStates = (width: number): Tensor<'float32'> => normalTensor(seeded(3), [2, 5, width], 0, 0.3);
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'cutlayer-student-'));
      const model = describeModel(await readFile(join(fixtureDir(fixture), 'config.json'), 'utf8'));
      const cut = { bottom: 1, top: 1, numLayers: model.spec.numLayers };
      student = await Student.open({ model, cut, dir, random: seeded(1), threads: 1 });
    });
    after(async () => {
      await student.close();
      await rm(dir, { recursive: true, force: true });
    });

    it("gives the packed backbone's rows with its weights", async () => {
      const { backboneDir } = await packedFixture(fixture, { bottom: 1, top: 1 });
      const { tensors } = await readTensors(join(backboneDir, 'weights.safetensors'));
      const moments = [...tensors].flatMap(([name, { shape, data }]) =>
        ['expAvg', 'expAvgSq'].map((moment) => [`${name}.${moment}`, f32(shape, new Float32Array(data.length))] as const),
      );
      await writeTensors(join(dir, 'weights'), Object.fromEntries([...tensors, ...moments]), { step: '7' });
      assert.equal(await student.load(join(dir, 'weights')), 7);
      const rows = hiddenStates((await manifestOf(backboneDir)).dims.hiddenSize);
      const packed = await openGraphs(
        { dir: backboneDir, weightsFile: 'weights.safetensors', graphs: ['infer-none.onnx'] },
        { threads: 1 },
      );
      try {
        const positions = tensor(
          'int64',
          [10],
          BigInt64Array.from({ length: 10 }, (_, at) => BigInt(at)),
        );
        const { output } = await packed.run('infer-none.onnx', { ...packedFeeds(rows, wholeSequences(rows.shape)), positions });
        assert.ok(maxRelativeError(await student.infer(rows), output!) < 1e-5);
      } finally {
        await packed.close();
      }
    });

    it('comes nearer to wanted rows by training, and goes on after it was saved', async () => {
      const width = (await manifestOf((await packedFixture(fixture, { bottom: 1, top: 1 })).backboneDir)).dims.hiddenSize;
      const rows = hiddenStates(width);
      const wanted = normalTensor(seeded(4), [10, width], 0, 1);
      const step = async (): Promise<number> => {
        const { output, train } = await student.forward(rows);
        const difference = output.data.map((value, i) => value - wanted.data[i]!);
        await train(f32(output.shape, difference), 0.01);
        return difference.reduce((sum, value) => sum + value * value, 0);
      };
      const first = await step();
      for (let i = 0; i < 10; i++) await step();
      await student.save(join(dir, 'saved'), 11);
      const last = await step();
      assert.ok(last < 0.8 * first, `${first} to ${last}`);
      assert.equal(await student.load(join(dir, 'saved')), 11);
      assert.ok(Math.abs((await step()) - last) < 1e-4 * last);
    });
  });
}

const manifestOf = async (dir: string) =>
  JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')) as { readonly dims: { readonly hiddenSize: number } };
