/** The learning rate of a run that was given none. */
import assert from 'node:assert/strict';
import { Command } from 'commander';
import { methodHelp } from '../../../clients/typescript/cli/train/method-help.js';
import { resolveTrainFlags } from '../../../clients/typescript/cli/train/prepare-training.js';
import { trainOptions } from '../../../clients/typescript/cli/train/train-options-table.js';
import { defaultLearningRate, methodNames, methods } from '../../../clients/typescript/index.js';
import { readOptions, withOptions } from '../../../src/options/command-options.js';
import { configText } from '../../../src/options/config-text.js';

describe('the learning rate without --lr', () => {
  const parse = async (...args: readonly string[]) => {
    const needed = ['--bundle', 'b', '--gateway', 'g', '--data', 'd', '--out', 'o'];
    const command = withOptions(new Command('train'), trainOptions).exitOverride();
    return resolveTrainFlags(await readOptions(command.parse([...needed, ...args], { from: 'user' }), trainOptions));
  };

  for (const name of methodNames) {
    it(`is that of ${name}, is in the run's configuration, and is told by --help`, async () => {
      const { learningRate } = methods[name];
      assert.ok(learningRate > 0 && learningRate < 1);
      const flags = await parse('--method', name);
      assert.equal(flags.lr, learningRate);
      assert.match(configText(trainOptions, flags, []), new RegExp(`^lr: ${learningRate}$`, 'm'));
      assert.match(methodHelp(), new RegExp(`^ +${name} .*\\(--lr ${learningRate}[,)]`, 'm'));
    });
  }

  it('is another for settings that put other weights in training', async () => {
    const table = Object.values(methods).flatMap(({ method, learningRate, learningRatesWith = [] }) =>
      learningRatesWith.map((other) => ({ method, base: learningRate, ...other })),
    );
    assert.deepEqual(
      table.map(({ settings }) => settings),
      [{ encoder: 'LSTM' }, { prefixProjection: true }],
    );
    for (const { method, base, settings, learningRate } of table) {
      assert.notEqual(learningRate, base);
      assert.equal(defaultLearningRate(method, settings), learningRate);
      assert.equal(defaultLearningRate(method), base);
    }
    assert.equal((await parse('--method', 'p-tuning', '--encoder', 'LSTM')).lr, methods['p-tuning'].learningRatesWith![0]!.learningRate);
    assert.match(methodHelp(), /prefix-tuning .* with --prefix-projection\)/);
    assert.match(methodHelp(), /p-tuning .* with --encoder LSTM\)/);
  });

  it('gives way to --lr', async () => {
    assert.equal((await parse('--method', 'full', '--lr', '0.25')).lr, 0.25);
  });

  it('is the smallest of methods that train together', () => {
    const [prompt, full] = [methods['prompt-tuning'].learningRate, methods.full.learningRate];
    assert.ok(full < prompt, 'weights of the model take smaller steps than new rows');
    assert.equal(defaultLearningRate('prompt-tuning+full'), full);
    assert.equal(defaultLearningRate('full+prompt-tuning'), full);
    assert.throws(() => defaultLearningRate('prompt-tuning+nothing'), { code: 'INVALID_ARGUMENT' });
  });
});
