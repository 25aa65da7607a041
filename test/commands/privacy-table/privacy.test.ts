/** `cutlayer client privacy`: rows of real runs, what they are compared with, and how it goes on. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PrivacyReport } from '../../../src/commands/privacy-table/privacy-report.js';
import { cutlayerHere } from '../../support/command-here.js';
import { thorough } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { writeNotes } from '../../support/training-data.js';

describe('cutlayer client privacy', () => {
  let dir: string;
  let base: readonly string[];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-privacy-'));
    writeNotes(join(dir, 'train.jsonl'), 6, 1);
    writeNotes(join(dir, 'test.jsonl'), 4, 2);
    const data = ['--data', join(dir, 'train.jsonl'), '--test', join(dir, 'test.jsonl'), '--threads', '1'];
    base = ['client', 'privacy', ...data, '--virtual-tokens', '2', '--max-records', '2', '--planted', '1'];
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const packedAt = async (bottom: number) => dirname((await packedFixture('llama-tiny', { bottom })).bundleDir);
  const table = async (out: string, bottoms: readonly number[], ...more: readonly string[]) => {
    const packed = (await Promise.all(bottoms.map(packedAt))).flatMap((place) => ['--packed', place]);
    return cutlayerHere([...base, ...packed, '--out', join(dir, out), '--json', ...more]);
  };

  it('trains, measures and audits each setting, and keeps what is done', async function () {
    this.timeout(360_000);
    const asked = ['--only', 'A0,A3', '--setting', 'token-noise=1 virtual-tokens=3'];
    const whole = await table('table', [0], '--steps', '1', ...asked);
    assert.equal(whole.code, 0, whole.stderr);
    const { rows, reference, failed } = JSON.parse(whole.stdout) as PrivacyReport;
    const [bare, noised] = rows;
    assert.deepEqual([reference, failed, rows.length], [0, [], 2]);
    assert.deepEqual([bare!.leaks.tokens?.value, bare!.leaks.tokens?.attacker, bare!.leaks.labels?.value], [1, 'A0', 1]);
    assert.equal(noised!.adapter.virtualTokens, 3);
    assert.ok(noised!.leaks.tokens!.value < 1 && noised!.difference.loss.value !== 0);
    assert.match(noised!.guarantees.join(), /^token-noise: \(token, epsilon \d+\.\d{3}, delta 1e-5\)/);
    assert.deepEqual(bare!.guarantees, []);
    const [own, planted] = bare!.shown;
    assert.ok(own!.sent.join('').includes('Which part?'), own!.sent.join(''));
    assert.deepEqual(own!.guesses.A0, own!.sent);
    assert.match(planted!.guesses.A0!.join(''), /Please call/);
    assert.ok(existsSync(join(dir, 'table', 'report.html')));
    assert.match(await readFile(join(dir, 'table', 'report.txt'), 'utf8'), /k = 0, token-noise=1 virtual-tokens=3 /);
    const again = await table('table', [0], '--steps', '1', ...asked);
    assert.deepEqual(JSON.parse(again.stdout), JSON.parse(whole.stdout));
    assert.doesNotMatch(again.stderr, /step 1\/1/, 'a row was trained again');
    const other = await table('table', [0], '--steps', '2', ...asked);
    assert.match(other.stderr, /ALREADY_EXISTS: .*other options or data/);
  });

  it('refuses what it cannot measure before any work', async () => {
    const refused = async (message: RegExp, ...more: readonly string[]) => {
      const { code, stderr } = await cutlayerHere([...base, '--out', join(dir, 'refused'), ...more]);
      assert.ok(code !== 0 && message.test(stderr), stderr);
    };
    await refused(/no model: pass --packed/);
    await refused(/expected one gateway for each bundle, got 1 and 0/, '--bundle', 'x');
    await refused(/row-nois; did you mean row-noise/, '--packed', 'x', '--setting', 'row-nois=1');
    const place = await packedAt(0);
    await refused(/its cut \(k = 0, m = 0\) is that of/, '--packed', place, '--packed', place);
    assert.ok(!existsSync(join(dir, 'refused', 'state.json')));
  });

  thorough('compares cuts with the undefended row that does the task best', async function () {
    this.timeout(600_000);
    const { stdout, stderr, code } = await table(
      'cuts',
      [0, 1],
      '--steps',
      '2',
      '--setting',
      'row-noise=2',
      '--setting',
      'cut=1 redact=numbers',
      '--setting',
      'cut=0 row-noise=100',
    );
    assert.equal(code, 0, stderr);
    const { rows, reference, pareto, failed } = JSON.parse(stdout) as PrivacyReport;
    assert.deepEqual(
      rows.map(({ cut, setting }) => `${cut.bottom} ${setting}`),
      ['0 none', '0 row-noise=2', '1 none', '1 row-noise=2', '1 redact=numbers'],
    );
    assert.match(failed.map(({ setting, why }) => `${setting}: ${why}`).join(), /^row-noise=100: max-row-norm: the vendor allows at most/);
    assert.equal(rows[reference]!.setting, 'none');
    assert.equal(rows[reference]!.difference.exactMatch.value, 0);
    assert.deepEqual(
      [rows[0]!, rows[2]!].map(({ leaks }) => leaks.tokens?.value),
      [1, 1],
    );
    assert.ok(pareto.tokens.length > 0);
  });
});
