/** The documented examples run as they stand, and so do the commands in the client's help. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cutlayerHere } from '../support/command-here.js';
import { thorough } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import type { Finished } from '../support/server-process.js';
import { writeNotes } from '../support/training-data.js';

const run = promisify(execFile);

describe('the client as a user runs it', () => {
  let dir: string;
  let gateway: GatewayHere;
  let common: readonly string[];
  let flags: readonly string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-examples-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir });
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
    writeNotes(join(dir, 'data.jsonl'), 24, 1);
    common = [bundleDir, gateway.address, gateway.caFile!, join(dir, 'token')];
    const server = ['--gateway', gateway.address, '--ca', gateway.caFile!];
    flags = ['--bundle', bundleDir, ...server, '--threads', '1', '--token-file', join(dir, 'token')];
  });

  after(async () => {
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const example = async (name: string, ...args: readonly string[]) => {
    const file = fileURLToPath(new URL(`../../clients/typescript/examples/${name}.js`, import.meta.url));
    const { stdout, stderr } = await run(process.execPath, [file, ...common, ...args]);
    assert.equal(stderr, '');
    return stdout;
  };
  const client = async (...args: readonly string[]): Promise<Finished> => {
    const finished = await cutlayerHere(['client', ...args]);
    assert.equal(finished.code, 0, finished.stderr);
    return finished;
  };
  const lossesIn = (text: string) => [...text.matchAll(/^step \d+: loss ([\d.]+)/gm)].map((match) => Number(match[1]));

  thorough('raw-backbone descends a loss of its own', async () => {
    const losses = lossesIn(await example('raw-backbone'));
    assert.equal(losses.length, 5);
    assert.ok(
      losses.every((loss, i) => i === 0 || loss < losses[i - 1]!),
      losses.join(),
    );
  });

  thorough('own-loop trains, saves, loads and samples', async () => {
    const text = await example('own-loop', join(dir, 'data.jsonl'));
    assert.equal(lossesIn(text).length, 10);
    assert.match(text, /saved to .*: \{"note":"after 10 steps"\}\nsample: ./);
  });

  thorough('whole-run trains, and when it is started again only reports', async () => {
    const text = await example('whole-run', join(dir, 'data.jsonl'), join(dir, 'run'));
    assert.equal(lossesIn(text).length, 20);
    const again = await example('whole-run', join(dir, 'data.jsonl'), join(dir, 'run'));
    assert.equal(lossesIn(again).length, 0);
    const report = /validation loss .*/;
    assert.equal(again.match(report)![0], text.match(report)![0]);
  });

  it('train, eval and generate work together, and train writes nothing on standard output', async () => {
    const out = join(dir, 'cli');
    const data = ['--data', join(dir, 'data.jsonl')];
    const trained = await client('train', ...flags, ...data, '--out', out, '--epochs', '2', '--virtual-tokens', '4');
    assert.equal(trained.stdout, '');
    assert.match(
      trained.stderr,
      /step 6\/6 {2}loss [\d.]+ {2}\d+ tokens\/s {2}[\d.]+ kB\/step[\s\S]*Done after step 6, training loss of the last epoch/,
    );
    const metrics = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    assert.equal(metrics.length, 6);
    const adapter = ['--adapter', join(out, 'adapter')];
    const { stdout } = await client('eval', ...flags, ...data, ...adapter, '--generate', '2', '--json');
    const result = JSON.parse(stdout) as Record<string, number>;
    assert.equal(result.examples, 24);
    assert.ok(result.loss! > 0 && result.generationExactMatch! >= 0 && result.bytesUp! > 0);
    const greedy = await client('generate', ...flags, ...adapter, '--prompt', 'The pump', '--max-new-tokens', '6');
    assert.ok(greedy.stdout.length > 1);
    const sample = (seed: string) =>
      client('generate', ...flags, '--prompt', 'The pump', '--max-new-tokens', '12', '--temperature', '1', '--seed', seed);
    const [one, same, other] = [await sample('1'), await sample('1'), await sample('2')];
    assert.equal(one.stdout, same.stdout);
    assert.notEqual(one.stdout, other.stdout);
  });

  thorough('a classification head is trained, measured and asked from the command line', async () => {
    const data = join(dir, 'classes.jsonl');
    const texts = ['the pump runs hot', 'the valve leaks oil'];
    await writeFile(data, texts.map((text, at) => `${JSON.stringify({ text, label: ['pump', 'valve'][at] })}\n`).join(''));
    const out = join(dir, 'classes');
    const method = ['--method', 'prompt-tuning+classification-head', '--labels', 'pump', 'valve', '--virtual-tokens', '4', '--lr', '0.05'];
    await client('train', ...flags, '--data', data, '--out', out, '--steps', '20', ...method);
    const adapter = ['--adapter', join(out, 'adapter')];
    const measured = await client('eval', ...flags, '--data', data, ...adapter, '--json');
    assert.equal((JSON.parse(measured.stdout) as Record<string, number>).accuracy, 1);
    const asked = await client('classify', ...flags, ...adapter, '--text', texts[1]!);
    assert.equal(asked.stdout, 'valve\n');
    const refused = await cutlayerHere(['client', 'generate', ...flags, ...adapter, '--prompt', 'the']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /is a classification head \(pump, valve\) and generates no text; classify with it/);
  });

  it('wrong use ends with a typed error on standard error and a code of its own', async () => {
    const fails = async (args: readonly string[], code: number, message: RegExp) => {
      const failed = await cutlayerHere(['client', ...args]);
      assert.equal(failed.code, code);
      assert.match(failed.stderr, message);
    };
    await fails(['train', ...flags], 2, /required option '--data <file>'/);
    await fails(['train', ...flags, '--data', 'x', '--out', 'y', '--lr', 'fast'], 2, /expected a number above 0/);
    await fails(['train', ...flags, '--data', join(dir, 'absent.jsonl'), '--out', join(dir, 'o')], 1, /NOT_FOUND.*absent\.jsonl/);
    await fails(
      ['train', ...flags, '--data', join(dir, 'data.jsonl'), '--out', join(dir, 'o'), '--init', 'TEXT'],
      1,
      /pass the text with --init-text/,
    );
    await fails(['eval', ...flags.slice(0, -2), '--data', join(dir, 'data.jsonl')], 1, /TOKEN_MISSING.*--token-file/);
    await fails(['generate', ...flags, '--prompt', 'a', '--adapter', dir], 1, /NOT_FOUND.*adapter_config\.json/);
    await fails(['eval', '--bundle', dir, ...flags.slice(2), '--data', join(dir, 'data.jsonl')], 1, /NOT_FOUND.*client bundle/);
  });

  it('every command explains itself with examples', async () => {
    for (const command of ['train', 'eval', 'generate', 'classify']) {
      const { stdout } = await client(command, '--help');
      assert.match(stdout, /Examples?:[\s\S]*\$ cutlayer client/);
    }
  });
});
