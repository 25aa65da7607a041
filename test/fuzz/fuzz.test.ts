/** The fuzzer itself: it finds faults that are there, and every target holds for its corpus and some inputs more. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/files/package-root.js';
import { depth, thorough } from '../support/exhaustive.js';
import { type CampaignOptions, campaign } from './campaign.js';
import { inputsOf } from './inputs.js';
import { judge, type Target } from './target.js';
import { targetModule, targetNames } from './targets.js';

const planted = fileURLToPath(new URL('../support/planted-faults.js', import.meta.url));
const INPUTS = depth(400, 25);

async function moduleOf(path: string): Promise<Target> {
  return ((await import(pathToFileURL(path).href)) as { readonly target: Target }).target;
}

/** Runs the target with one planted fault. */
async function find(letter: string, bounds: Pick<CampaignOptions, 'hangMs' | 'heapMb'> = {}) {
  process.env.CUTLAYER_PLANTED = letter;
  try {
    return await campaign({ modulePath: planted, seed: 1, seconds: 1, minimizeMs: 0, ...bounds });
  } finally {
    delete process.env.CUTLAYER_PLANTED;
  }
}

describe('the fuzzer', () => {
  for (const [letter, kind, text] of [
    ['e', 'error', /TypeError: an unforeseen error/],
    ['i', 'error', /CutlayerError/],
    ['d', 'difference', /AssertionError/],
  ] as const) {
    it(`finds a planted ${kind} (${letter}) and names its input`, async () => {
      const { finding } = await find(letter);
      assert.equal(finding?.kind, kind);
      assert.match(finding.text, text);
      assert.equal(String.fromCharCode(finding.input.at(-1)!), letter);
      assert.equal(finding.input.length, 1, 'the smallest input is one letter');
    });
  }

  thorough('finds a planted memory (m) and names its input, also in a process that a larger one has started', async () => {
    const held = Buffer.alloc(512 * 2 ** 20, 1);
    const { finding } = await find('m');
    assert.equal(finding?.kind, 'memory');
    assert.match(finding.text, /memory grew by [34]\d\d MiB/);
    assert.equal(String.fromCharCode(finding.input.at(-1)!), 'm');
    assert.equal(held.at(-1), 1);
  });

  thorough('finds an input that does not end', async () => {
    const { finding } = await find('h', { hangMs: 1500 });
    assert.equal(finding?.kind, 'slow');
    assert.equal(Buffer.from(finding.input).toString().at(-1), 'h');
  });

  thorough('finds an input that fills the heap', async () => {
    const { finding } = await find('c', { heapMb: 64 });
    assert.ok(finding?.kind === 'crash' || finding?.kind === 'slow', finding?.kind);
    assert.equal(Buffer.from(finding.input).toString().at(-1), 'c');
  });

  it('finds nothing where input is refused by a typed error', async () => {
    const { finding, executions } = await find('r');
    assert.equal(finding, undefined);
    assert.ok(executions > 10, `${executions}`);
  });

  it('gives the same inputs for the same seed', async () => {
    const target = await moduleOf(targetModule('jsonl'));
    const first = inputsOf('jsonl', target, 5);
    const again = inputsOf('jsonl', target, 5);
    for (const index of [0, 70, 3, 200]) assert.deepEqual(again(index), first(index));
    const other = inputsOf('jsonl', target, 6);
    assert.notDeepEqual(
      [100, 101, 102].map((index) => [...other(index)]),
      [100, 101, 102].map((index) => [...first(index)]),
    );
  });

  it('has a target of the table for each module, and no other', () => {
    const modules = readdirSync(join(packageRoot(), 'test', 'fuzz', 'targets')).map((file) => file.replace(/\.ts$/, ''));
    assert.deepEqual(modules.sort(), [...targetNames].sort());
  });

  it('refuses an unknown target with the nearest name', () => {
    const run = spawnSync(process.execPath, [fileURLToPath(new URL('run.js', import.meta.url)), 'onx'], { encoding: 'utf8' });
    assert.equal(run.status, 1);
    assert.match(run.stderr, /there is no target onx; did you mean onnx\?/);
  });

  for (const name of targetNames) {
    it(`${name}: reads or refuses its corpus and ${INPUTS} inputs more`, async () => {
      const target = await moduleOf(targetModule(name));
      const inputs = inputsOf(name, target, 20);
      const read: number[] = [];
      for (let index = 0; index < INPUTS; index++) {
        const outcome = await judge(target, inputs(index));
        assert.ok(typeof outcome === 'boolean', typeof outcome === 'object' ? `input ${index}: ${outcome.text}` : '');
        if (outcome) read.push(index);
      }
      assert.ok(read.includes(0), 'the first input of the corpus is read');
    });
  }
});
