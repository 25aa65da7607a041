/** Every method from the flags of `client train` to a saved adapter, and back from the run's own config.yaml. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { openSession, type Session } from '../../clients/typescript/cli/session.js';
import { prepareTraining, type ResolvedTrainFlags, resolveTrainFlags } from '../../clients/typescript/cli/train/prepare-training.js';
import { trainOptions } from '../../clients/typescript/cli/train/train-options-table.js';
import { methodNames } from '../../clients/typescript/index.js';
import { reportAdapter } from '../../clients/typescript/inspect/adapter-report.js';
import { METRICS_FILE, readMetrics } from '../../clients/typescript/training/metrics.js';
import { readOptions, withConfigFile, withOptions } from '../../src/options/command-options.js';
import { depth } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import { writeNotes } from '../support/training-data.js';

/** Flags of a run of each method, and of two combinations. */
const runs: Readonly<Record<string, readonly string[]>> = {
  'prompt-tuning': ['--virtual-tokens', '3', '--init', 'TEXT', '--init-text', 'which part'],
  'p-tuning': ['--virtual-tokens', '3', '--encoder', 'LSTM', '--encoder-hidden', '8', '--encoder-layers', '1'],
  'prefix-tuning': ['--virtual-tokens', '3', '--prefix-projection', '--encoder-hidden', '8'],
  'multitask-prompt-tuning': ['--virtual-tokens', '3', '--tasks', 'first,second', '--task-rank', '2'],
  'trainable-tokens': ['--tokens', '?', ' '],
  lora: ['--rank', '2', '--alpha', '4', '--targets', 'q_proj', 'lm_head'],
  full: ['--targets', 'v_proj'],
  'classification-head': ['--labels', 'pump', 'valve', 'sensor', 'filter', 'motor', 'pipe'],
  'prompt-tuning+lora': ['--virtual-tokens', '3', '--rank', '2'],
  'prompt-tuning+classification-head': ['--virtual-tokens', '3', '--labels', 'pump,valve,sensor,filter,motor,pipe'],
};

/** What shows in the files that the flags have reached the method: tensors by a part of their name, and their shapes. */
const shapes: Readonly<Record<string, readonly (readonly [RegExp, readonly number[]])[]>> = {
  'prompt-tuning': [[/^prompt_embeddings$/, [3, 32]]],
  'p-tuning': [[/^prompt_embeddings$/, [3, 32]]],
  'prefix-tuning': [[/^prompt_embeddings$/, [3, 128]]],
  'multitask-prompt-tuning': [
    [/^prefix_task_cols$/, [2, 3, 2]],
    [/^prefix_task_rows$/, [2, 2, 32]],
  ],
  'trainable-tokens': [[/embed_tokens\.trainable_tokens_delta$/, [2, 32]]],
  lora: [
    [/layers\.3\.self_attn\.q_proj\.lora_A/, [2, 32]],
    [/lm_head\.lora_A/, [2, 32]],
  ],
  full: [[/layers\.0\.self_attn\.v_proj\.weight$/, [16, 32]]],
  'classification-head': [[/score\.weight$/, [6, 32]]],
};

describe('the options of training', () => {
  let dir: string;
  let gateway: GatewayHere;
  let session: Session;
  let common: readonly string[];

  const parse = async (...args: readonly string[]): Promise<ResolvedTrainFlags> => {
    const command = withOptions(withConfigFile(new Command('train')), trainOptions).exitOverride();
    return resolveTrainFlags(await readOptions(command.parse([...args], { from: 'user' }), trainOptions));
  };
  const run = async (flags: ResolvedTrainFlags) => {
    await (await prepareTraining(flags, session, new AbortController().signal)).run(flags, () => undefined);
    const records = await readMetrics(join(flags.out, METRICS_FILE));
    return records.map(({ loss }) => loss);
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-options-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    gateway = await startGatewayHere({ backboneDir });
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
    const records = writeNotes(join(dir, 'notes.jsonl'), 12, 1);
    const lines = (of: (record: (typeof records)[number], at: number) => object) =>
      records.map((record, at) => `${JSON.stringify(of(record, at))}\n`).join('');
    await writeFile(
      join(dir, 'tasks.jsonl'),
      lines((record, at) => ({ ...record, task: at % 3 === 0 ? 'first' : 'second' })),
    );
    await writeFile(
      join(dir, 'labels.jsonl'),
      lines(({ prompt, completion }) => ({ text: prompt, label: completion.trim() })),
    );
    const connection = ['--bundle', bundleDir, '--gateway', gateway.address, '--ca', gateway.caFile!, '--token-file', join(dir, 'token')];
    common = [...connection, '--steps', '3', '--batch', '4', '--threads', '1', '--no-tensorboard'];
    session = await openSession(await parse(...common, '--data', 'none', '--out', 'none'), new AbortController().signal, () => undefined);
  });

  after(async () => {
    await session?.close();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('name every method', () => {
    assert.deepEqual(
      methodNames.filter((name) => !(name in runs)),
      [],
    );
  });

  // Later tests start from what the combined method has trained.
  const sample = Object.entries(runs).filter(([method], at) => at % 5 === 0 || method === 'prompt-tuning+lora');
  for (const [method, settings] of depth(Object.entries(runs), sample)) {
    it(`train ${method}, and its config.yaml repeats the run to the last bit`, async () => {
      const data = method.startsWith('multitask') ? 'tasks' : method.endsWith('classification-head') ? 'labels' : 'notes';
      const out = join(dir, method);
      const losses = await run(await parse(...common, '--data', join(dir, `${data}.jsonl`), '--method', method, ...settings, '--out', out));
      assert.equal(losses.length, 3);
      const again = await parse('--config', join(out, 'config.yaml'), '--out', `${out}-again`);
      assert.deepEqual(await run(again), losses);
      const [first, second] = await Promise.all([reportAdapter(out), reportAdapter(again.out)]);
      assert.equal(first.method, method);
      for (const [name, shape] of shapes[method] ?? []) {
        const found = first.parts.flatMap(({ tensors }) => tensors).find((tensor) => name.test(tensor.name));
        assert.deepEqual(found?.shape, shape, String(name));
      }
      for (const [at, part] of first.parts.entries()) {
        const name = part.peftType === null ? 'model.safetensors' : 'adapter_model.safetensors';
        assert.deepEqual(await readFile(join(part.dir, name)), await readFile(join(second.parts[at]!.dir, name)));
      }
    });
  }

  it('start from a saved adapter, and refuse one of another method, naming the flag', async () => {
    const notes = ['--data', join(dir, 'notes.jsonl'), '--init-adapter', join(dir, 'prompt-tuning+lora')];
    const flags = await parse(...common, ...notes, '--method', 'lora+prompt-tuning', '--out', join(dir, 'onwards'));
    const [first] = await run(flags);
    const begun = (await readMetrics(join(dir, 'prompt-tuning+lora', METRICS_FILE)))[0]!.loss;
    assert.notEqual(first, begun, 'it begins where the other one ended');
    const other = await parse(...common, ...notes, '--method', 'lora', '--out', join(dir, 'other'));
    await assert.rejects(run(other), {
      code: 'INVALID_ADAPTER',
      message: /made by prompt-tuning\+lora.*pass --method prompt-tuning\+lora/,
    });
  });

  it('say how many virtual tokens the gateway takes', async () => {
    const flags = await parse(...common, '--data', join(dir, 'notes.jsonl'), '--virtual-tokens', '5000', '--out', join(dir, 'many'));
    await assert.rejects(run(flags), {
      code: 'LIMIT_EXCEEDED',
      message: /--virtual-tokens 5000: the gateway takes at most (\d+); pass --virtual-tokens \1/,
    });
  });

  it('that ask more of the gateway than it has memory for fail with the flags that ask for less', async () => {
    const { backboneDir } = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    const small = await startGatewayHere({
      backboneDir,
      stateDir: gateway.stateDir,
      start: { residualMemory: '10KiB', database: join(dir, 'small.db') },
    });
    const flags = await parse(...common, '--data', join(dir, 'notes.jsonl'), '--gateway', small.address, '--out', join(dir, 'small'));
    const cramped = await openSession(flags, new AbortController().signal, () => undefined);
    try {
      const training = await prepareTraining(flags, cramped, new AbortController().signal);
      await assert.rejects(
        training.run(flags, () => undefined),
        { code: 'LIMIT_EXCEEDED', message: /gateway holds at most 10240[\s\S]*--batch 2 --accumulation 2 \(it was 4 x 1\)/ },
      );
    } finally {
      await cramped.close();
      await small.stop();
    }
  });
});
