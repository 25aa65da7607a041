import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBackbone } from '../../../src/artifacts/store.js';
import { cutlayerHere } from '../../support/command-here.js';
import { packedFixture } from '../../support/packed-fixture.js';

describe('cutlayer gateway inspect-policy', () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-inspect-policy-'));
    file = join(dir, 'policies.yaml');
    await writeFile(
      file,
      'default:\n  rows-per-day: 1000\n  min-tokens: off\ntenants:\n  acme:\n    rows-per-day: 5\n    directions-per-input: 9\n',
    );
  });
  after(() => rm(dir, { recursive: true, force: true }));
  const inspect = (...words: string[]) => cutlayerHere(['gateway', 'inspect-policy', ...words]);

  it('shows what a file permits: of every tenant and of those it names, with the places', async () => {
    const lines = (await inspect(file)).stdout.trim().split('\n');
    const at = lines.indexOf('tenant acme');
    assert.deepEqual([lines[0], at, lines.length], ['every other tenant', 11, 22]);
    const [others, acme] = [lines.slice(1, at), lines.slice(at + 1)];
    const line = (of: readonly string[], name: string) => of.find((one) => one.startsWith(`  ${name} `));
    assert.match(line(others, 'rows-per-day')!, /^ {2}rows-per-day 1000 \(the file: default\): rows that are answered in a day/);
    assert.match(line(others, 'min-tokens')!, /^ {2}min-tokens off \(the file: default\): /);
    assert.match(line(others, 'directions-per-input')!, / 8 to 64 by the model's width \(no place names it\): /);
    assert.match(line(acme, 'rows-per-day')!, / 5 \(the file: tenants\.acme\): /);
    assert.match(line(acme, 'directions-per-input')!, / 9 \(the file: tenants\.acme\): /);
    assert.match(line(acme, 'min-tokens')!, / off \(the file: default\): /);
  });

  it('takes the bounds that a backbone gives', async () => {
    const { backboneDir } = await packedFixture('llama-tiny');
    const { embeddingNorms } = (await loadBackbone(backboneDir)).manifest;
    const { stdout } = await inspect(file, '--backbone', backboneDir, '--tenant', 'bolt', '--format', 'json');
    const { default: standard, tenants } = JSON.parse(stdout) as {
      default?: object;
      tenants: Record<string, Record<string, { bound: number }>>;
    };
    assert.deepEqual([standard, Object.keys(tenants)], [undefined, ['bolt']]);
    const { directionsPerInput, rowsPerDay, maxRowNorm } = tenants.bolt!;
    assert.deepEqual(directionsPerInput, { bound: 8, from: 'standard' });
    assert.deepEqual(rowsPerDay, { bound: 1000, from: 'fileDefault' });
    assert.deepEqual(maxRowNorm, { bound: Number((16 * embeddingNorms!.greatest).toPrecision(4)), from: 'embedding' });
  });

  it('names the line of an error, and a file that is not there', async () => {
    const wrong = join(dir, 'wrong.yaml');
    await writeFile(wrong, 'default:\n  rows-per-day: 5\ntenants:\n  acme:\n    near-inputs: -1\n');
    const failed = await inspect(wrong);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /wrong\.yaml:5: tenants\.acme\.near-inputs: expected a whole number from 1 to 2147483647, or off, got -1/);
    assert.match((await inspect(join(dir, 'none.yaml'))).stderr, /NOT_FOUND.*no such file of protection policies/);
  });
});
