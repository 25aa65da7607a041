/** The options of defences, from the command line to the adapter's files and back. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defenceClaims } from '../../../clients/typescript/defences/claims.js';
import { JOURNAL_FILE } from '../../../clients/typescript/improvement/journal.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { cutlayerHere } from '../../support/command-here.js';
import { thorough } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';
import { writeNotes } from '../../support/training-data.js';

describe('the options of defences', () => {
  let dir: string;
  let gateway: TestGateway;
  let reach: readonly string[];
  let data: readonly string[];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-defences-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir });
    await writeFile(join(dir, 'ca.pem'), gateway.ca);
    await writeFile(join(dir, 'token'), await gateway.token());
    writeNotes(join(dir, 'notes.jsonl'), 6, 1);
    const [ca, token] = [join(dir, 'ca.pem'), join(dir, 'token')];
    reach = ['--bundle', bundleDir, '--gateway', gateway.gateway.listen, '--ca', ca, '--token-file', token, '--threads', '1'];
    data = ['--data', join(dir, 'notes.jsonl')];
  });
  after(async () => {
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const train = (out: string, ...more: readonly string[]) =>
    cutlayerHere(['client', 'train', ...reach, ...data, '--out', join(dir, out), '--virtual-tokens', '2', '--no-tensorboard', ...more]);
  const lossesOf = async (out: string) =>
    (await readFile(join(dir, out, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { loss?: number }).loss);
  const noise = ['--row-noise', '0.75'];

  it('are in help with the sentence that each may claim', async () => {
    for (const command of ['train', 'eval', 'generate', 'chat', 'classify', 'serve']) {
      const { stdout } = await cutlayerHere(['client', command, '--help']);
      const { 'label-noise': ofTraining, ...others } = defenceClaims;
      for (const claim of Object.values(others)) assert.ok(stdout.replace(/\s+/g, ' ').includes(claim), `${command}: ${claim}`);
      assert.equal(stdout.replace(/\s+/g, ' ').includes(ofTraining), command === 'train', command);
    }
  });

  it('pad texts to lengths, and refuse it where the rope depends on the length', async () => {
    const padding = ['--pad-lengths', '56'];
    const evaluated = async (...more: readonly string[]) => {
      const { code, stdout, stderr } = await cutlayerHere(['client', 'eval', ...reach, ...data, '--json', ...more]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as { readonly loss: number };
    };
    const [bare, padded] = [await evaluated(), await evaluated(...padding)];
    assert.ok(Math.abs(padded.loss - bare.loss) < 1e-5, `${padded.loss}, ${bare.loss}`);
    const refused = (stderr: string) => assert.match(stderr, /INVALID_OPTION: --pad-lengths: the rope of this model depends on the length/);
    const long = await packedFixture('phi3-longrope-tiny');
    // Without a block here it is the gateway that says so.
    const other = await startTestGateway({ backboneDir: long.backboneDir });
    try {
      const [ca, token] = [join(dir, 'long-ca.pem'), join(dir, 'long-token')];
      await writeFile(ca, other.ca);
      await writeFile(token, await other.token());
      const place = ['--bundle', long.bundleDir, '--gateway', other.gateway.listen, '--ca', ca, '--token-file', token];
      refused((await cutlayerHere(['client', 'eval', ...place, ...data, ...padding])).stderr);
    } finally {
      await other.close();
    }
    const { bundleDir } = await packedFixture('phi3-longrope-tiny', { bottom: 1 });
    const offline = ['--offline', '--bundle', bundleDir, '--out', join(dir, 'long')];
    refused((await cutlayerHere(['client', 'audit', ...offline, ...data, ...padding])).stderr);
  });

  it('make noise under the secret of the run, which a resumed run goes on with and a repeated one can take', async () => {
    const whole = await train('whole', ...noise, '--steps', '4');
    assert.equal(whole.code, 0, whole.stderr);
    for (const line of ['defence row-noise (scale 0.75): ', `defence          row-noise (scale 0.75): ${defenceClaims['row-noise']}`])
      assert.ok(whole.stderr.includes(line), line);
    const secret = join(dir, 'whole', 'defence-secret');
    assert.match(await readFile(secret, 'utf8'), /^[0-9a-f]{64}\n$/);
    assert.equal((await stat(secret)).mode & 0o777, 0o600);
    const again = await train('again', ...noise, '--steps', '4', '--defence-secret-file', secret);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(await lossesOf('again'), await lossesOf('whole'));
    const other = await train('other', ...noise, '--steps', '1');
    assert.equal(other.code, 0, other.stderr);
    assert.notEqual((await lossesOf('other'))[0], (await lossesOf('whole'))[0]);
    const resumed = await train('whole', '--row-noise', '0.5', '--steps', '4', '--resume');
    assert.match(resumed.stderr, /INVALID_CONFIG: cannot resume from .*: row-noise was \{"scale":0\.75\}, now it is \{"scale":0\.5\}/);
  });

  it('are recorded beside the adapter without the secret, shown by inspect, and missed where they are left out', async () => {
    const run = join(dir, 'whole');
    const recorded = await readFile(join(run, 'adapter', 'cutlayer_training.json'), 'utf8');
    assert.deepEqual((JSON.parse(recorded) as { defences: unknown }).defences, [{ name: 'row-noise', settings: { scale: 0.75 } }]);
    const secret = (await readFile(join(run, 'defence-secret'), 'utf8')).trim();
    for (const name of ['adapter/cutlayer_training.json', 'adapter/cutlayer_adapter.json', 'config.yaml', 'metrics.jsonl'])
      assert.ok(!(await readFile(join(run, name), 'utf8')).includes(secret), name);
    const inspected = await cutlayerHere(['client', 'inspect', run]);
    assert.match(inspected.stdout, /trained with +row-noise \(scale 0\.75\): A row that is sent again/);
    const evaluated = (...more: readonly string[]) => cutlayerHere(['client', 'eval', ...reach, ...data, '--adapter', run, ...more]);
    assert.match((await evaluated()).stderr, /warning: .*was trained with the defence row-noise \(scale 0\.75\), and here none is on/);
    assert.match(
      (await evaluated('--row-noise', '1')).stderr,
      /warning: .*row-noise \(scale 0\.75\), and here on are row-noise \(scale 1\)/,
    );
    const same = await evaluated(...noise);
    assert.ok(same.code === 0 && !same.stderr.includes('warning'), same.stderr);
  });

  thorough('train a transform with the adapter, which a resumed run goes on with, and which later commands need', async () => {
    const learned = ['--learned-noise', '0.5'];
    const run = join(dir, 'learned');
    const trained = () => train('learned', ...learned, '--steps', '4', '--checkpoint-every', '2', '--resume');
    const whole = await trained();
    assert.equal(whole.code, 0, whole.stderr);
    const files = ['cutlayer_learned_noise.safetensors', 'adapter_model.safetensors'];
    const valuesAt = async (...of: readonly string[]) => {
      const all = await Promise.all(files.map((file) => readTensors(join(run, ...of, file))));
      return all.flatMap(({ tensors }) => [...tensors.values()].flatMap(({ data }) => Array.from(data, Number)));
    };
    const apart = (some: readonly number[], others: readonly number[]) =>
      Math.max(...some.map((value, at) => Math.abs(value - others[at]!)));
    const before = await valuesAt('adapter');
    const losses = await lossesOf('learned');
    assert.ok(apart(before, await valuesAt('checkpoints', 'step-00000002')) > 1e-4);
    await rm(join(run, 'checkpoints', 'step-00000004'), { recursive: true });
    await rm(join(run, 'adapter'), { recursive: true });
    assert.equal((await trained()).code, 0);
    assert.deepEqual(await lossesOf('learned'), losses);
    assert.deepEqual(await valuesAt('adapter'), before);
    const recorded = await readFile(join(run, 'adapter', 'cutlayer_training.json'), 'utf8');
    assert.deepEqual((JSON.parse(recorded) as { defences: unknown }).defences, [{ name: 'learned-noise', settings: { strength: 0.5 } }]);

    const secret = ['--defence-secret-file', join(run, 'defence-secret')];
    const evaluated = (...more: readonly string[]) => cutlayerHere(['client', 'eval', ...reach, ...data, ...more]);
    const adapter = ['--adapter', run];
    const [on, again, off] = [
      await evaluated(...adapter, ...learned, ...secret),
      await evaluated(...adapter, ...learned, ...secret),
      await evaluated(...adapter),
    ];
    assert.ok(on.code === 0 && !on.stderr.includes('warning'), on.stderr);
    assert.equal(on.stdout, again.stdout);
    assert.match(off.stderr, /warning: .*was trained with the defence learned-noise \(strength 0\.5\), and here none is on/);
    assert.notEqual(on.stdout, off.stdout);

    const bare = await evaluated(...learned);
    assert.match(bare.stderr, /INVALID_OPTION: --learned-noise: expected an adapter that was trained with it.*got the bare model/);
    const begun = await train('begun', '--init-adapter', run, '--steps', '1');
    assert.match(begun.stderr, /INVALID_OPTION: --init-adapter .*has a learned transform of rows.*; pass --learned-noise/);
    const goneOn = await train('gone on', '--init-adapter', run, ...learned, '--steps', '1', '--lr', '1e-30');
    assert.equal(goneOn.code, 0, goneOn.stderr);
    const transform = await readFile(join(run, 'adapter', files[0]!));
    assert.deepEqual(await readFile(join(dir, 'gone on', 'adapter', files[0]!)), transform);
    for (const [option, value] of [
      ['--row-noise', '1'],
      ['--token-noise', '1'],
    ] as const) {
      const both = await train('both', ...learned, option, value);
      assert.match(both.stderr, new RegExp(`INVALID_ARGUMENT: learned-noise: it has noise of its own; leave ${option} out`));
    }
    await writeFile(join(run, 'adapter', files[0]!), transform.subarray(0, -4));
    assert.match((await evaluated(...adapter, ...learned)).stderr, /INVALID_SAFETENSORS|INVALID_ADAPTER/);
  });

  it('are refused by name where they have no effect or cannot be read', async () => {
    const idle = await train('idle', '--defence-secret-file', 'x');
    assert.match(idle.stderr, /--defence-secret-file has no effect here: no noise is drawn; ask for some with --row-noise/);
    await copyFile(join(dir, 'notes.jsonl'), join(dir, 'no-secret'));
    const broken = await train('broken', ...noise, '--defence-secret-file', join(dir, 'no-secret'));
    assert.match(broken.stderr, /INVALID_OPTION: --defence-secret-file .*no-secret: expected 64 hexadecimal digits/);
  });

  it('are those of the recorded run where it is trained again for another model', async () => {
    const to = join(dir, 'moved');
    const moved = await cutlayerHere(['client', 'migrate', ...reach, '--run', join(dir, 'other'), '--out', to]);
    assert.equal(moved.code, 0, moved.stderr);
    const recorded = await readFile(join(to, 'adapter', 'cutlayer_training.json'), 'utf8');
    assert.deepEqual((JSON.parse(recorded) as { defences: unknown }).defences, [{ name: 'row-noise', settings: { scale: 0.75 } }]);
  });

  thorough('draw labels of training records under the secret of the run, also in a sweep, and are not missed afterwards', async () => {
    assert.equal((await train('plain', '--steps', '1')).code, 0);
    const drawn = await train('drawn', '--label-noise', '0.5', '--steps', '1');
    assert.equal(drawn.code, 0, drawn.stderr);
    assert.match(drawn.stderr, /note: label-noise: \(label, epsilon 0\.5, delta 0\) for all steps and runs under one secret/);
    assert.notEqual((await lossesOf('drawn'))[0], (await lossesOf('plain'))[0]);
    const recorded = await readFile(join(dir, 'drawn', 'adapter', 'cutlayer_training.json'), 'utf8');
    assert.deepEqual((JSON.parse(recorded) as { defences: unknown }).defences, [{ name: 'label-noise', settings: { epsilon: 0.5 } }]);
    const evaluated = await cutlayerHere(['client', 'eval', ...reach, ...data, '--adapter', join(dir, 'drawn')]);
    assert.ok(evaluated.code === 0 && !evaluated.stderr.includes('warning'), evaluated.stderr);
    const audited = ['client', 'audit', '--offline', '--bundle', reach[1]!, ...data, '--adapter', join(dir, 'drawn'), '--only', 'A5'];
    const { stderr } = await cutlayerHere([...audited, '--out', join(dir, 'audited')]);
    assert.match(stderr, /warning: .*was trained with the defence label-noise \(epsilon 0\.5\), and here none is on/);
    const sweep = ['client', 'sweep', ...reach, ...data, '--out', join(dir, 'swept'), '--virtual-tokens', '2', '--no-tensorboard'];
    const secret = ['--defence-secret-file', join(dir, 'drawn', 'defence-secret')];
    for (const [more, rates] of [
      [[], '0.01'],
      [['--resume'], '0.01,0.02'],
    ] as const) {
      const swept = await cutlayerHere([...sweep, '--lr', rates, '--steps', '1', '--label-noise', '0.5', ...secret, ...more]);
      assert.equal(swept.code, 0, swept.stderr);
    }
    const [first, second] = [await lossesOf(join('swept', 'lr-0.01')), await lossesOf(join('swept', 'lr-0.02'))];
    assert.deepEqual([first[0], second[0]], Array(2).fill((await lossesOf('drawn'))[0]));
  });

  thorough('act in improvement, also where versions are only measured', async () => {
    const heldOut = join(dir, 'held-out.jsonl');
    const recipe = ['--virtual-tokens', '2', '--steps', '1', '--lr', '1e-9', '--min-new', '1', '--held-out', heldOut, '--no-tensorboard'];
    writeNotes(heldOut, 4, 2);
    await writeFile(join(dir, 'words'), 'The\n');
    const losses: number[] = [];
    const defences: readonly (readonly string[])[] = [
      ['--row-noise', '5'],
      ['--redact-words', join(dir, 'words')],
    ];
    for (const more of [[], ...defences]) {
      const state = join(dir, `improved ${losses.length}`);
      const run = await cutlayerHere(['client', 'improve', ...reach, ...data, '--dir', state, ...recipe, '--once', ...more]);
      assert.equal(run.code, 0, run.stderr);
      const events = (await readFile(join(state, JOURNAL_FILE), 'utf8')).trim().split('\n');
      const [score] = events.flatMap(
        (line) => (JSON.parse(line) as { candidate?: { current: { loss: number } } }).candidate?.current ?? [],
      );
      losses.push(score!.loss);
    }
    const [plain, ...defended] = losses as [number, ...number[]];
    // Without the defence both versions are the same prompt, but for a rate of 1e-9.
    for (const loss of defended) assert.ok(Math.abs(loss - plain) > 1e-4, String(losses));
  });
});
