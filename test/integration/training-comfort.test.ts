/** What makes training pleasant, through a real gateway: configuration files, sweeps, inspection, TensorBoard, locks, divergence and the last words. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { defaultLearningRate } from '../../clients/typescript/index.js';
import { exposureNote } from '../../src/artifacts/exposure.js';
import { cutlayerHere } from '../support/command-here.js';
import { thorough } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import type { Finished } from '../support/server-process.js';
import { decodeEvent, decodeRecords } from '../support/tensorboard-reader.js';
import { writeNotes } from '../support/training-data.js';

describe('training as a person does it', function () {
  // Many processes, one after the other.
  this.timeout(360_000);
  let dir: string;
  let gateway: GatewayHere;
  let bundleDir: string;
  let flags: readonly string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-comfort-'));
    const packed = await packedFixture('llama-tiny');
    bundleDir = packed.bundleDir;
    gateway = await startGatewayHere({ backboneDir: packed.backboneDir });
    await writeFile(join(dir, 'secret.token'), await gateway.token('acme'));
    writeNotes(join(dir, 'train.jsonl'), 24, 1);
    writeNotes(join(dir, 'valid.jsonl'), 6, 2);
    flags = ['--bundle', bundleDir, '--gateway', gateway.address, '--ca', gateway.caFile!, '--token-file', join(dir, 'secret.token')];
    flags = [...flags, '--data', join(dir, 'train.jsonl'), '--threads', '1'];
  });

  after(async () => {
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const client = (...args: readonly string[]): Promise<Finished> => cutlayerHere(['client', ...args], { LC_ALL: 'C.UTF-8' });
  const succeeds = async (...args: readonly string[]): Promise<Finished> => {
    const outcome = await client(...args);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  };
  const adapterOf = (run: string) => readFile(join(dir, run, 'adapter', 'adapter_model.safetensors'));
  const small = ['--virtual-tokens', '4', '--steps', '6', '--checkpoint-every', '3'];

  describe('a run', () => {
    let said: string;
    before(async () => {
      const validation = ['--validation', join(dir, 'valid.jsonl'), '--eval-every', '2'];
      said = (await succeeds('train', ...flags, ...small, ...validation, '--seed', '5', '--out', join(dir, 'run1'))).stderr;
    });

    thorough('of conversations is known when a plain prompt is sent to its adapter', async () => {
      const turns = [
        { role: 'user', content: 'Which part?' },
        { role: 'assistant', content: 'Pump' },
      ];
      await writeFile(join(dir, 'chat.jsonl'), `${JSON.stringify({ messages: turns, id: 1 })}\n`);
      const connection = flags.slice(0, flags.indexOf('--data'));
      const chat = ['--data', join(dir, 'chat.jsonl'), '--batch', '1', '--out', join(dir, 'chat')];
      const trained = await succeeds('train', ...connection, ...small, ...chat);
      assert.match(trained.stderr, /note: .*chat\.jsonl: keys that no record reads: "id" \(1 row\)/);
      const generate = (...more: readonly string[]) =>
        succeeds('generate', ...connection, '--adapter', join(dir, 'chat'), '--max-new-tokens', '1', '--prompt', 'Which part?', ...more);
      assert.match((await generate()).stderr, /warning: this adapter learned conversations, .*pass --chat/);
      assert.doesNotMatch((await generate('--chat', '--system', 'Be short.')).stderr, /warning/);
    });

    it('says once what the default cut means, before it trains', () => {
      assert.equal(said.split('\n').filter((line) => line === exposureNote(0)).length, 1, said);
    });

    it('given again with the same seed has the same adapter to the last byte, and another one with another seed', async () => {
      const validation = ['--validation', join(dir, 'valid.jsonl'), '--eval-every', '2'];
      await succeeds('train', ...flags, ...small, ...validation, '--seed', '5', '--out', join(dir, 'same'));
      await succeeds('train', ...flags, ...small, ...validation, '--seed', '6', '--out', join(dir, 'other'));
      assert.deepEqual(await adapterOf('same'), await adapterOf('run1'));
      assert.notDeepEqual(await adapterOf('other'), await adapterOf('run1'));
    });

    it('is repeated by its own config.yaml, which holds every decision and no token', async () => {
      const text = await readFile(join(dir, 'run1', 'config.yaml'), 'utf8');
      const token = await readFile(join(dir, 'secret.token'), 'utf8');
      assert.ok(!text.includes(token.trim()), 'the token itself is not there');
      const config = parseYaml(text) as Record<string, unknown>;
      assert.equal(config['token-file'], join(dir, 'secret.token'));
      assert.deepEqual([config.lr, config.seed, config.schedule, config.clip], [0.01, 5, 'cosine', 1]);
      await succeeds('train', '--config', join(dir, 'run1', 'config.yaml'), '--out', join(dir, 'repeated'));
      assert.deepEqual(await adapterOf('repeated'), await adapterOf('run1'));
      const changed = await client('train', '--config', join(dir, 'run1', 'config.yaml'));
      assert.match(changed.stderr, /ALREADY_EXISTS.*run1: holds a run already/);
      assert.equal(await readFile(join(dir, 'run1', 'config.yaml'), 'utf8'), text, 'a refused run changes nothing');
    });

    it('writes the curves of metrics.jsonl for TensorBoard too', async () => {
      const folder = join(dir, 'run1', 'tensorboard');
      const [name] = await readdir(folder);
      const events = decodeRecords(await readFile(join(folder, name!))).map(decodeEvent);
      assert.equal(events[0]!.fileVersion, 'brain.Event:2');
      const curve = (tag: string) =>
        events.flatMap(({ step, summary }) =>
          (summary?.value ?? []).filter((value) => value.tag === tag).map((v) => [step, v.simpleValue]),
        );
      const lines = (await readFile(join(dir, 'run1', 'metrics.jsonl'), 'utf8')).trim().split('\n');
      const records = lines.map((line) => JSON.parse(line) as { type: string; step: number; loss: number; bytesUp: number });
      const of = (type: string, field: 'loss' | 'bytesUp') =>
        records.filter((r) => r.type === type).map((r) => [r.step, Math.fround(r[field])]);
      assert.equal(curve('train/loss').length, 6);
      assert.deepEqual(curve('train/loss'), of('step', 'loss'));
      assert.deepEqual(curve('train/bytesUp'), of('step', 'bytesUp'));
      assert.deepEqual(curve('validation/loss'), of('validation', 'loss'));
    });

    it('ends with what it did, what it cost, how the loss went, and what to try next', () => {
      assert.match(said, /ETA \d+ s/);
      assert.match(said, /Done after step 6, best validation loss \d\.\d{4}\./);
      assert.match(said, /prompt-tuning, 128 trained parameters, learning rate 0\.01/);
      assert.match(said, /6 steps in [\d.]+ s, \d+ tokens\/s; sent [\d.]+ kB, received [\d.]+ kB \([\d.]+ kB per step\)/);
      assert.match(said, /training loss +\d\.\d{4} [▁-█]{6} \d\.\d{4}/);
      assert.match(said, /validation loss +\d\.\d{4} [▁-█]{3} \d\.\d{4}, best/);
      assert.match(said, new RegExp(`cutlayer client generate --adapter ${join(dir, 'run1', 'adapter')} --prompt`));
    });

    it('is inspected without a gateway: method, sizes, soundness, whether it fits, nearest tokens, training state', async () => {
      const { stdout } = await succeeds('inspect', join(dir, 'run1'), '--bundle', bundleDir);
      assert.match(stdout, /method +prompt-tuning, 128 parameters/);
      assert.match(stdout, /sound +yes/);
      assert.match(stdout, /bundle +not signed\n *fits the bundle +yes/);
      assert.match(stdout, /nearest tokens \(cosine\):\n +0 +"[^"\n]*" (0\.9\d|1\.00)/, 'it began as tokens of the vocabulary');
      const checkpoint = await succeeds('inspect', join(dir, 'run1', 'checkpoints', 'step-00000006'), '--json');
      const report = JSON.parse(checkpoint.stdout) as { found: string; training: { step: number; optimizer: { tensors: number } } };
      assert.deepEqual([report.found, report.training.step, report.training.optimizer.tensors], ['checkpoint', 6, 2]);
    });

    it('does not fit the bundle of another cut, and inspection says why and exits with 1', async () => {
      const other = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
      const { code, stdout } = await client('inspect', join(dir, 'run1', 'adapter'), '--bundle', other.bundleDir);
      assert.equal(code, 1);
      assert.match(stdout, /fits the bundle +NO: ADAPTER_MISMATCH: .*another/);
    });
  });

  it('a directory takes one run at a time, and that of a run that died is free again', async () => {
    const out = join(dir, 'locked');
    await mkdir(out, { recursive: true });
    const holder = { id: 'x', host: hostname(), since: '2020-01-01T00:00:00Z', processStart: '' };
    await writeFile(join(out, 'run.lock'), JSON.stringify({ ...holder, pid: process.pid }));
    const refused = await client('train', ...flags, ...small, '--out', out);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`ALREADY_EXISTS: .*process ${process.pid} on .*choose another --out`));
    assert.deepEqual(await readdir(out), ['run.lock']);
    await writeFile(join(out, 'run.lock'), JSON.stringify({ ...holder, pid: 2 ** 22 + 1 }));
    await succeeds('train', ...flags, ...small, '--out', out);
    assert.ok(!existsSync(join(out, 'run.lock')));
  });

  thorough('a loss that stays far above its best stops the run, keeps the checkpoint from before, and says what to change', async () => {
    const out = join(dir, 'rising');
    // A rate at which the loss soon rises again, all examples in each step, and a factor that calls such a rise a divergence.
    const rising = [
      '--method',
      'prefix-tuning',
      '--virtual-tokens',
      '4',
      '--lr',
      '30',
      '--schedule',
      'constant',
      '--clip',
      '0',
      '--batch',
      '32',
    ];
    const watched = [...rising, '--steps', '200', '--checkpoint-every', '4', '--divergence-factor', '1.01'];
    const stopped = await client('train', ...flags, ...watched, '--out', out);
    assert.equal(stopped.code, 1);
    const since = Number(/since step (\d+)/.exec(stopped.stderr)?.[1]);
    assert.ok(since > 4, stopped.stderr);
    const good = join(out, 'checkpoints', `step-${String(since - 1 - ((since - 1) % 4)).padStart(8, '0')}`);
    assert.ok(stopped.stderr.includes(`the last good checkpoint is ${good}`), stopped.stderr);
    assert.ok(stopped.stderr.includes(`--lr ${defaultLearningRate('prefix-tuning')} (it was 30)`), stopped.stderr);
    assert.match(stopped.stderr, /--clip 1/);
    assert.match(stopped.stderr, /--warmup 10/);
    assert.ok(existsSync(join(good, 'adapter_model.safetensors')), 'it has outlived newer checkpoints');
    const onwards = [
      '--method',
      'prefix-tuning',
      '--virtual-tokens',
      '4',
      '--steps',
      '1',
      '--init-adapter',
      good,
      '--divergence-factor',
      '0',
    ];
    await succeeds('train', ...flags, ...onwards, '--out', join(dir, 'from-good'));
  });

  thorough('a sweep ranks learning rates, has a row for the one that diverged, and goes on where it stopped', async () => {
    const out = join(dir, 'sweep');
    const sweep = (...rates: readonly string[]) => [...flags, ...small, '--out', out, '--lr', rates.join(',')];
    const { stdout, stderr } = await succeeds('sweep', ...sweep('0.3', '1e-4', '1e38'));
    const rows = stdout.trim().split('\n').slice(1);
    assert.match(rows[0]!, /^\* +0\.3 +- +\d\.\d{4} +6 +finished/);
    assert.match(rows[2]!, /1e\+38 .*diverged/);
    assert.match(stderr, /Best: learning rate 0\.3, adapter .*lr-0\.3/);
    const results = JSON.parse(await readFile(join(out, 'sweep.json'), 'utf8')) as { best: string; rows: { learningRate: number }[] };
    assert.equal(results.best, 'lr-0.3');
    assert.ok(existsSync(join(out, 'lr-0.3', 'config.yaml')));

    const lines = async (rate: string) => (await readFile(join(out, `lr-${rate}`, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const firstLoss = async (rate: string) => (JSON.parse((await lines(rate))[0]!) as { loss: number }).loss;
    assert.equal(await firstLoss('0.3'), await firstLoss('0.0001'), 'the same first values and the same first batch');

    assert.match((await client('sweep', ...sweep('0.3'))).stderr, /ALREADY_EXISTS.*holds a sweep already/);
    const before = await readFile(join(out, 'lr-0.3', 'metrics.jsonl'));
    await succeeds('sweep', ...sweep('0.3', '1e-4', '1e38', '0.03'), '--resume');
    assert.deepEqual(await readFile(join(out, 'lr-0.3', 'metrics.jsonl')), before, 'what was done is not done again');
    const more = JSON.parse(await readFile(join(out, 'sweep.json'), 'utf8')) as { rows: { learningRate: number }[] };
    assert.deepEqual(
      more.rows.map(({ learningRate }) => learningRate).sort((a, b) => a - b),
      [0.0001, 0.03, 0.3, 1e38],
    );
    assert.match(
      (await client('sweep', ...sweep('0.3'), '--resume', '--batch', '4')).stderr,
      /INVALID_CONFIG.*its runs had other settings/,
    );

    await succeeds('train', '--config', join(out, 'lr-0.3', 'config.yaml'), '--out', join(dir, 'from-sweep'));
    assert.deepEqual(await adapterOf('from-sweep'), await readFile(join(out, 'lr-0.3', 'adapter', 'adapter_model.safetensors')));
  });

  it('an adapter with a number that is not finite is told by inspection, which exits with 1', async () => {
    await succeeds('train', ...flags, '--virtual-tokens', '4', '--steps', '1', '--out', join(dir, 'sound'));
    const broken = join(dir, 'sound', 'adapter');
    const file = join(broken, 'adapter_model.safetensors');
    const bytes = await readFile(file);
    bytes.writeFloatLE(Number.NaN, bytes.length - 4);
    await writeFile(file, bytes);
    const { code, stdout } = await client('inspect', broken);
    assert.equal(code, 1);
    assert.match(stdout, /sound +NO: 1 numbers are NaN or infinite/);
  });

  it('examples that no batch can hold are told before the first step, with the flags that help', async () => {
    const tight = await client('train', ...flags, ...small, '--max-tokens', '12', '--out', join(dir, 'tight'));
    assert.match(
      tight.stderr,
      /LIMIT_EXCEEDED: .*train\.jsonl:1: \d+ tokens.*\(--max-tokens 12\).*--max-length 12 with --overlong truncate or skip/,
    );
    const long = await client('train', ...flags, ...small, '--max-length', '12', '--out', join(dir, 'tight'));
    assert.match(long.stderr, /INVALID_DATA: .*the most is 12.*--overlong truncate or --overlong skip, or --max-length up to \d+/);
    assert.ok(!existsSync(join(dir, 'tight')));
  });

  it('a file with an unknown key, and a method that there is not, are refused as wrong use', async () => {
    await writeFile(join(dir, 'wrong.yaml'), 'larning-rate: 1\n');
    const unknown = await client('train', ...flags, ...small, '--out', join(dir, 'w'), '--config', join(dir, 'wrong.yaml'));
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /INVALID_OPTION: .*wrong\.yaml: there is no option larning-rate/);
    const method = await client('train', ...flags, '--out', join(dir, 'w'), '--method', 'prefix-tunning');
    assert.equal(method.code, 2);
    assert.match(method.stderr, /did you mean prefix-tuning\?/);
  });
});
