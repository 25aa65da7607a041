/** What `pack` measures of the values that cross, and what clients do with it. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadClientBundle } from '../../../src/artifacts/store.js';
import { f16Fit } from '../../../src/artifacts/wire-range.js';
import { withVariant } from '../../support/checkpoint-variant.js';
import { cutlayerHere } from '../../support/command-here.js';
import { fixtureDir } from '../../support/packed-model.js';

describe('the range of what crosses', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-range-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** Packs llama-tiny with a tensor whose values are all of one size; undefined: as it is. */
  const packed = (name: string, size: number | undefined, args: readonly string[] = [], tensor = 'model.embed_tokens.weight') =>
    withVariant(
      'llama-tiny',
      {
        tensors: (tensors) => {
          const { data } = tensors[tensor]!;
          if (size !== undefined) for (let at = 0; at < data.length; at++) data[at] = at % 2 === 0 ? size : -size;
        },
      },
      async (dir) => {
        const { code, stdout, stderr } = await cutlayerHere(['pack', dir, '--out', join(root, name), ...args]);
        assert.equal(code, 0, stderr);
        const bundleDir = join(root, name, 'client-bundle');
        const { wire } = (await loadClientBundle(bundleDir)).manifest;
        return { bundleDir, wire, stdout, readme: await readFile(join(bundleDir, 'README.md'), 'utf8') };
      },
    );
  const generate = (bundleDir: string, wire: string) =>
    cutlayerHere(
      [
        'client',
        'generate',
        '--bundle',
        bundleDir,
        '--gateway',
        '127.0.0.1:1',
        '--insecure',
        '--wire',
        wire,
        '--retry-for',
        '0.1',
        '--prompt',
        'a',
      ],
      { CUTLAYER_TOKEN: 'x.y.z' },
    );

  it('is measured at both ends of the backbone, printed, and in the bundle', async () => {
    const { wire, stdout, readme } = await packed('plain', undefined, ['-k', '1']);
    assert.ok(wire!.tokens === 128 && wire!.cut > 0 && wire!.output > 0, JSON.stringify(wire));
    assert.match(
      stdout,
      /^wire dtypes {4}f32, bf16, int8, f16 \(largest value measured: [\d.]+ at the .*, on 128 tokens; f16 ends at 65,504\)$/m,
    );
    assert.match(readme, /^\| f16 \| ok; largest value measured: /m);
    assert.match(readme, /A measured value is no bound/);
  });

  it('that f16 does not hold is refused by clients before they connect, other types are not', async () => {
    const { bundleDir, wire, stdout, readme } = await packed('large', 1e5);
    assert.equal(wire!.cut, 1e5);
    assert.match(stdout, /^wire dtypes {4}f32, bf16, int8; not f16 \(largest value measured: 100,/m);
    assert.match(readme, /^\| f16 \| overflows: do not use it; largest value measured: 100,/m);
    const { code, stderr } = await generate(bundleDir, 'f16');
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^error INVALID_OPTION: --wire f16: values of this model overflow \(largest .* on 128 tokens; f16 ends at 65,504\); pass --wire bf16, int8 or f32$/m,
    );
    assert.doesNotMatch((await generate(bundleDir, 'bf16')).stderr, /--wire/);
  });

  it('that f16 holds with little to spare is told, and not refused', async () => {
    const { bundleDir, readme } = await packed('near', 2e4);
    assert.match(readme, /^\| f16 \| ok on these tokens, with less than a factor 4 to spare; /m);
    const { stderr } = await generate(bundleDir, 'f16');
    assert.match(stderr, /^note: --wire f16 has less than a factor 4 to spare \(largest value measured: 20,\d+ at the /m);
    assert.match(stderr, /^error UNAVAILABLE/m);
  });

  it('is left out where a vendor does not want it measured', async () => {
    const { bundleDir, wire, stdout, readme } = await packed('none', 1e5, ['--no-measure']);
    assert.deepEqual([wire, /wire/.test(stdout), /^\| f16 \|/m.test(readme)], [undefined, false, false]);
    assert.doesNotMatch((await generate(bundleDir, 'f16')).stderr, /--wire/);
  });

  it('ends with the largest f16, and is near it within a factor 4', () => {
    const fits = (cut: number, output: number) => f16Fit({ tokens: 1, cut, output });
    assert.deepEqual([fits(65_504, 0), fits(0, 65_505), fits(16_376, 1), fits(16_377, 1)], ['near', 'overflows', 'ok', 'near']);
  });

  it('does not keep a model from being packed whose values are not finite', async () => {
    const { wire } = await packed('infinite', 3e38, [], 'model.layers.1.mlp.down_proj.weight');
    assert.equal(wire, undefined);
    const { stderr } = await cutlayerHere(['pack', fixtureDir('gpt2-tiny'), '--out', join(root, 'gpt2')]);
    assert.doesNotMatch(stderr, /not measured/);
  });
});
