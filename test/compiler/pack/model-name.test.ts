/** The name of a packed model without --name. */
import assert from 'node:assert/strict';
import { modelName } from '../../../src/compiler/pack/model-name.js';

const cases: readonly (readonly [what: string, config: Record<string, unknown>, dir: string, name: string])[] = [
  ['the name in the config', { _name_or_path: 'meta-llama/Llama-3.2-1B' }, '/data/x', 'meta-llama/Llama-3.2-1B'],
  ['the last part of a path in the config', { _name_or_path: '/home/me/llama-medical/' }, '/data/x', 'llama-medical'],
  ['the directory, where the config names a checkpoint', { _name_or_path: './out/checkpoint-1200' }, '/data/medical', 'medical'],
  ['the directory, where the config says nothing', { _name_or_path: '' }, '/data/medical', 'medical'],
  ['a model of the cache of the Hub', {}, `/c/models--Qwen--Qwen3-0.6B/snapshots/${'ab01'.repeat(10)}`, 'Qwen/Qwen3-0.6B'],
  ['family and size for checkpoint', {}, '/data/checkpoint', 'llama-1.2B'],
  ['family and size for checkpoint-500', { _name_or_path: 7 }, '/data/checkpoint-500', 'llama-1.2B'],
  ['family and size for output_2', {}, 'output_2', 'llama-1.2B'],
];

describe('model name', () => {
  for (const [what, config, dir, name] of cases) {
    it(`is ${what}`, () => {
      assert.equal(modelName(config, dir, 'llama', 1.235e9), name);
    });
  }

  it('rounds the size', () => {
    const sizes: readonly (readonly [number, string])[] = [
      [1_400, 'x-1.4k'],
      [345_000_000, 'x-345M'],
      [70.6e9, 'x-71B'],
    ];
    for (const [parameters, name] of sizes) assert.equal(modelName({}, '/model', 'x', parameters), name);
  });
});
