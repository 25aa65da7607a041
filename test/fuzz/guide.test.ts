/** Guidance by coverage: which inputs reach new code, the corpus of them, and what it finds. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { campaign } from './campaign.js';
import { GrownCorpus } from './grown-corpus.js';
import { Guide } from './guide.js';
import { inputsOf } from './inputs.js';
import { openProgress, readProgress } from './progress.js';
import { inBoth, type Range, ReachedCode, unreachedRanges } from './reached-code.js';

const counted = (...ranges: readonly (readonly [number, number, number])[]): Profiler.CoverageRange[] =>
  ranges.map(([startOffset, endOffset, count]) => ({ startOffset, endOffset, count }));

/** What V8 says of one function. */
const report = (...ranges: readonly (readonly [number, number, number])[]): Profiler.ScriptCoverage[] => [
  { scriptId: '1', url: 'file:///a.js', functions: [{ functionName: 'f', isBlockCoverage: true, ranges: counted(...ranges) }] },
];

/** Places below 40 that lie in a range. */
const places = (ranges: readonly Range[]): number[] =>
  Array.from({ length: 40 }, (_, at) => at).filter((at) => ranges.some(([from, to]) => from <= at && at < to));

const ranges = fc
  .uniqueArray(fc.nat(39), { maxLength: 12 })
  .map((ends) => ends.sort((a, b) => a - b))
  .map((ends) => Array.from({ length: ends.length >> 1 }, (_, at): Range => [ends[2 * at]!, ends[2 * at + 1]!]));

describe('guidance of the fuzzer', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cutlayer-guide-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('tells unreached ranges, where an inner count holds in place of the outer', () => {
    assert.deepEqual(unreachedRanges(counted([0, 30, 2], [5, 20, 0], [10, 12, 1], [25, 30, 0])), [
      [5, 10],
      [12, 20],
      [25, 30],
    ]);
    assert.deepEqual(unreachedRanges(counted([0, 30, 1], [5, 10, 0], [10, 15, 0])), [[5, 15]]);
    assert.deepEqual(unreachedRanges(counted([0, 30, 7])), []);
  });

  it('takes of two lists of ranges what is in both', () => {
    fc.assert(
      fc.property(ranges, ranges, (left, right) => {
        const inRight = new Set(places(right));
        assert.deepEqual(
          places(inBoth(left, right)),
          places(left).filter((at) => inRight.has(at)),
        );
      }),
    );
  });

  it('calls a function new once, and again when a range of it is reached', () => {
    const reached = new ReachedCode();
    assert.ok(reached.hasNew(report([0, 30, 1], [5, 10, 0], [12, 14, 0])));
    reached.add(report([0, 30, 1], [5, 10, 0], [12, 14, 0]));
    assert.ok(!reached.hasNew(report([0, 30, 9], [5, 20, 0])));
    assert.ok(reached.hasNew(report([0, 30, 1], [5, 10, 0])));
    reached.add(report([0, 30, 1], [5, 10, 0]));
    assert.ok(!reached.hasNew(report([0, 30, 1], [5, 10, 0], [12, 14, 0])));
    assert.equal(reached.functions, 1);
  });

  it('finds in a batch the inputs that reach new code', async () => {
    // A program of 200 places: an input reaches the places that are its bytes.
    let seen = new Set<number>();
    const run = async (input: Uint8Array): Promise<void> => {
      for (const place of input) seen.add(place);
    };
    const found: number[][] = [];
    let now = 0;
    const guide = new Guide({
      coverage: () => {
        now += 10;
        const blocks = Array.from({ length: 200 }, (_, at) => [at, at + 1, seen.has(at) ? 1 : 0] as const);
        seen = new Set();
        return report([0, 200, 1], ...blocks);
      },
      runAgain: run,
      reachedNew: (input) => found.push([...input]),
      now: () => now,
    });
    const inputs = [[1], ...Array<number[]>(60).fill([1, 1]), [1, 7], [7], [9], ...Array<number[]>(60).fill([7, 9]), [100]];
    for (const input of [...inputs, ...Array<number[]>(200).fill([1])]) {
      now += 1;
      await run(Uint8Array.from(input));
      await guide.ran(Uint8Array.from(input));
    }
    assert.deepEqual(found, [[1], [1, 7], [9], [100]]);
  });

  it('keeps a corpus from run to run, whose oldest inputs go beyond its bounds', () => {
    const folder = join(dir, 'corpus');
    const bounds = { inputs: 3, bytes: 100 };
    const grown = new GrownCorpus(folder, bounds);
    for (const byte of [1, 2, 2, 3]) grown.add(Uint8Array.of(byte));
    assert.equal(grown.inputs.length, 3);
    assert.equal(grown.inputs, grown.inputs, 'the same list while nothing changes');
    grown.add(Uint8Array.of(4));
    assert.deepEqual(
      grown.inputs.map((input) => [...input]),
      [[2], [3], [4]],
    );
    assert.deepEqual(new GrownCorpus(folder, bounds).inputs.map((input) => [...input]).sort(), [[2], [3], [4]]);
    grown.add(new Uint8Array(99));
    assert.deepEqual(
      grown.inputs.map(({ length }) => length),
      [1, 99],
    );
    assert.equal(readdirSync(folder).length, 2);
  });

  it('begins mutations with inputs that reached new code', () => {
    const target = { examples: [Buffer.from('a'.repeat(64))], run: () => undefined };
    const [none, grown] = [[], [Buffer.from('b'.repeat(64))]];
    let now: readonly Uint8Array[] = none;
    const inputs = inputsOf('no-corpus', target, 1, () => now);
    const begun = (): number =>
      Array.from({ length: 200 }, (_, at) => Buffer.from(inputs(at + 10))).filter((input) => input.includes('bbbb')).length;
    assert.equal(begun(), 0);
    now = grown;
    assert.ok(begun() > 100, `${begun()}`);
  });

  it('leaves the input of a process that dies in a file', () => {
    const path = join(dir, 'progress');
    writeFileSync(path, '');
    assert.equal(readProgress(path).run, 0);
    const progress = openProgress(path);
    progress.runs(Buffer.from('a long input'));
    progress.runs(Buffer.from('short'));
    const { run, input } = readProgress(path);
    assert.deepEqual([run, Buffer.from(input).toString()], [2, 'short']);
  });

  it('finds a fault behind steps that chance alone does not take together', async () => {
    const modulePath = fileURLToPath(new URL('../support/planted-steps.js', import.meta.url));
    const corpusDir = join(dir, 'steps');
    const { finding, reached } = await campaign({ modulePath, seed: 1, seconds: 30, corpusDir });
    assert.match(finding?.text ?? 'no finding', /five steps/);
    assert.ok((reached?.inputs ?? 0) >= 1 && existsSync(corpusDir), JSON.stringify(reached));
  });
});
