/** The flags of private training. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { openSession } from '../../../clients/typescript/cli/session.js';
import { runSweep } from '../../../clients/typescript/cli/sweep/run-sweep.js';
import { sweepOptions } from '../../../clients/typescript/cli/sweep/sweep-options.js';
import { choosePrivacy } from '../../../clients/typescript/cli/train/choose-privacy.js';
import { prepareTraining, resolveTrainFlags } from '../../../clients/typescript/cli/train/prepare-training.js';
import { trainOptions } from '../../../clients/typescript/cli/train/train-options-table.js';
import { summaryLines } from '../../../clients/typescript/cli/train/train-summary.js';
import { readOptions, withConfigFile, withOptions } from '../../../src/options/command-options.js';
import { epsilonOf } from '../../../src/privacy/accountant.js';
import { gaussianEvent } from '../../../src/privacy/event.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway } from '../../support/test-gateway.js';
import { writeNotes } from '../../support/training-data.js';

const needed = ['--bundle', 'b', '--gateway', 'g', '--data', 'd', '--out', 'o'];

const parse = async (...args: readonly string[]) => {
  const command = withOptions(withConfigFile(new Command('train')), trainOptions).exitOverride();
  return resolveTrainFlags(await readOptions(command.parse([...args], { from: 'user' }), trainOptions));
};
const chosen = async (examples: number, totalSteps: number, ...args: readonly string[]) =>
  choosePrivacy(await parse(...needed, ...args), { examples, totalSteps });

describe('the flags of private training', () => {
  it('are off by default', async () => {
    assert.equal(await chosen(1000, 100), undefined);
  });

  it('choose the noise that a budget asks for over all steps', async () => {
    const privacy = await chosen(
      1000,
      300,
      '--dp-clip-norm',
      '0.7',
      '--dp-epsilon',
      '3',
      '--batch',
      '8',
      '--accumulation',
      '4',
      '--dp-delta',
      '1e-4',
    );
    const { step, run } = privacy!;
    assert.deepEqual({ ...step, noiseMultiplier: 0 }, { clipNorm: 0.7, noiseMultiplier: 0, expectedBatch: 32 });
    assert.deepEqual(run, { delta: 1e-4, epsilon: 3 });
    const { epsilon } = epsilonOf([gaussianEvent(step.noiseMultiplier, { kind: 'poisson', rate: 0.032 }, 300)], 1e-4);
    assert.ok(epsilon <= 3 && epsilon > 2.999, String(epsilon));
  });

  it('take the noise that is given, with a budget as its limit or without', async () => {
    const given = await chosen(1000, 300, '--dp-clip-norm', '1', '--dp-noise-multiplier', '1.1');
    assert.equal(given?.step.noiseMultiplier, 1.1);
    assert.deepEqual(given?.run, { delta: 1e-5, epsilon: undefined });
    const both = await chosen(1000, 300, '--dp-clip-norm', '1', '--dp-noise-multiplier', '1.1', '--dp-epsilon', '2');
    assert.deepEqual([both?.step.noiseMultiplier, both?.run.epsilon], [1.1, 2]);
  });

  it('are refused by name where they are not enough, too much, or without effect', async () => {
    await assert.rejects(chosen(1000, 1, '--dp-clip-norm', '1'), {
      code: 'INVALID_OPTION',
      message: /--dp-noise-multiplier or by --dp-epsilon/,
    });
    await assert.rejects(chosen(20, 1, '--dp-clip-norm', '1', '--dp-epsilon', '1', '--batch', '24'), {
      code: 'INVALID_OPTION',
      message: /--batch 24 x --accumulation 1.*20 examples; pass --batch 20/,
    });
    for (const idle of [
      ['--dp-epsilon', '3'],
      ['--dp-noise-multiplier', '1'],
      ['--dp-delta', '1e-6'],
    ]) {
      await assert.rejects(parse(...needed, ...idle), {
        code: 'INVALID_OPTION',
        message: /turn privacy on with --dp-clip-norm, or leave it out/,
      });
    }
    await assert.rejects(parse(...needed, '--dp-clip-norm', '1', '--dp-epsilon', '1', '--divergence-factor', '2'), {
      code: 'INVALID_OPTION',
      message: /--divergence-factor has no effect here: exact losses do not decide on a private run/,
    });
    const sweep = withOptions(withConfigFile(new Command('sweep')), sweepOptions).exitOverride();
    const flags = await readOptions(sweep.parse([...needed, '--dp-clip-norm', '1'], { from: 'user' }), sweepOptions);
    await assert.rejects(runSweep(flags), { code: 'INVALID_OPTION', message: /a sweep does not train privately/ });
  });

  it('train through a gateway, for epochs on average, and the summary tells what was spent', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-dp-flags-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    const gateway = await startTestGateway({ backboneDir });
    try {
      await writeFile(join(dir, 'ca.pem'), gateway.ca);
      await writeFile(join(dir, 'token'), await gateway.token());
      writeNotes(join(dir, 'notes.jsonl'), 12, 1);
      const connection = [
        '--bundle',
        bundleDir,
        '--gateway',
        gateway.gateway.listen,
        '--ca',
        join(dir, 'ca.pem'),
        '--token-file',
        join(dir, 'token'),
      ];
      const run = ['--data', join(dir, 'notes.jsonl'), '--out', join(dir, 'run'), '--batch', '3', '--epochs', '2', '--no-tensorboard'];
      const flags = await parse(
        ...connection,
        ...run,
        '--dp-clip-norm',
        '0.5',
        '--dp-epsilon',
        '4',
        '--dp-delta',
        '0.01',
        '--virtual-tokens',
        '3',
      );
      const { signal } = new AbortController();
      const session = await openSession(flags, signal, () => undefined);
      try {
        const training = await prepareTraining(flags, session, signal);
        assert.equal(training.totalSteps, 8);
        const summary = await training.run(flags, () => undefined);
        assert.equal(summary.stopped, 'finished');
        assert.ok(summary.privacy!.epsilon! <= 4 && summary.privacy!.epsilon! > 3.99);
        const lines = await summaryLines(summary, flags, {
          parameters: training.parameters,
          rowsShared: 1234,
          unicode: false,
          defences: session.defences,
        });
        assert.match(
          lines.join('\n'),
          /privacy +\(example, epsilon (4\.000|3\.99\d), delta 0\.01\) after 8 steps, Poisson sampling at rate 0\.25, noise multiplier/,
        );
        assert.match(lines.join('\n'), /shared text +1,234 rows less/);
        assert.match(await readFile(join(dir, 'run', 'config.yaml'), 'utf8'), /^dp-epsilon: 4$/m);
      } finally {
        await session.close();
      }
    } finally {
      await gateway.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
