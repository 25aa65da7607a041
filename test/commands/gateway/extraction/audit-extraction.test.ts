/** `cutlayer gateway audit-extraction` against real gateways: a tiny model, and the demo's. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExtractionReport } from '../../../../src/commands/gateway/extraction/extraction-report.js';
import { pack } from '../../../../src/compiler/pack/pack.js';
import { packageRoot } from '../../../../src/files/package-root.js';
import { verifyAudit } from '../../../../src/server/audit/verify-audit.js';
import { cutlayerHere } from '../../../support/command-here.js';
import { thorough } from '../../../support/exhaustive.js';
import { type PackedFixture, packedFixture, packedOnce } from '../../../support/packed-fixture.js';
import { writeNotes } from '../../../support/training-data.js';

const BOUND = 170;
const policy = (rowsPerDay: number): string => `tenants:\n  attacker: { rows-per-day: ${rowsPerDay} }\n`;
const reportIn = async (dir: string) => JSON.parse(await readFile(join(dir, 'report.json'), 'utf8')) as ExtractionReport;

describe('cutlayer gateway audit-extraction', () => {
  let dir: string;
  let packed: PackedFixture;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-extraction-'));
    packed = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    writeNotes(join(dir, 'data.jsonl'), 20, 1);
    writeNotes(join(dir, 'held-out.jsonl'), 6, 2);
    await writeFile(join(dir, 'policies.yaml'), policy(BOUND));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const audit = (out: string, ...more: readonly string[]) =>
    cutlayerHere([
      ...['gateway', 'audit-extraction', '--backbone', packed.backboneDir, '--bundle', packed.bundleDir],
      ...['--data', join(dir, 'data.jsonl'), '--held-out', join(dir, 'held-out.jsonl'), '--protection', join(dir, 'policies.yaml')],
      ...['--out', join(dir, out), '--text-length', '40', '--rows', '400', '--batch', '4', '--steps', '3', '--threads', '1', ...more],
    ]);

  thorough('takes what the policy allows and no more, and finds alarm and refusal in the audit log', async () => {
    const { code, stdout, stderr } = await audit('first');
    assert.equal(code, 0, stdout + stderr);
    const { taken, students, model, rowsPerDay, heldOut } = await reportIn(join(dir, 'first'));
    assert.deepEqual(taken.protected.refused, { policy: 'rows-per-day', allowed: BOUND });
    assert.equal(taken.protected.rows, 160);
    assert.deepEqual([taken.unprotected.rows, taken.unprotected.refused], [400, null]);
    assert.deepEqual(taken.protected.audited.alarms, ['rowsPerDay']);
    // Of a batch, of its half, and of one text.
    assert.ok(taken.protected.audited.refusals.length >= 1);
    assert.ok(taken.protected.audited.refusals.every((name) => name === 'rowsPerDay'));
    assert.deepEqual(taken.unprotected.audited, { alarms: [], refusals: [] });
    await verifyAudit(join(dir, 'first', 'gateway-protected', 'audit'), {});
    assert.deepEqual([students.withoutAccess.rows, students.protected.rows, students.unprotected.rows], [0, 160, 400]);
    assert.deepEqual([rowsPerDay, heldOut.texts], [BOUND, 6]);
    for (const { loss } of [model, ...Object.values(students)]) assert.ok(Number.isFinite(loss));
    assert.match(stdout, /^rows-per-day \(170\) ended it after 160 rows$/m);
    assert.match(stdout, /^400 rows take such a tenant 3 days$/m);
    assert.match(stderr, /^student without access: step 3 of 3, loss \d+\.\d+$/m);
  });

  thorough('goes on where it was, and takes no other audit for its own', async () => {
    const before = await readFile(join(dir, 'first', 'report.json'), 'utf8');
    // What is finished is not done again: its files are not missed.
    await rm(join(dir, 'first', 'answers-protected.f32'));
    const { code, stdout, stderr } = await audit('first', '--json');
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(before));
    assert.equal(existsSync(join(dir, 'first', 'answers-protected.f32')), false);
    const other = await audit('first', '--seed', '1');
    assert.equal(other.code, 1);
    assert.match(other.stderr, /other options or data; delete the directory/);
  });

  it('refuses a student of another width, and held-out data without a label', async () => {
    const config = join(packageRoot(), 'demo/backbone/checkpoint/config.json');
    assert.match((await audit('wide', '--student', config)).stderr, /expected a model whose rows are 32 wide, as the bundle's, got 192/);
    await writeFile(join(dir, 'none.jsonl'), '{"prompt": "x", "completion": ""}\n');
    assert.match((await audit('none', '--held-out', join(dir, 'none.jsonl'))).stderr, /--held-out|completion/);
  });

  thorough("attacks the demo's model, and is stopped, alarmed and audited at the bound of rows", async function () {
    this.timeout(3_600_000);
    const demo = join(packageRoot(), 'demo');
    const { backboneDir, bundleDir } = await packedOnce('packed-demo', (outDir) =>
      pack({ checkpointDir: join(demo, 'backbone/checkpoint'), outDir, bottom: 0, top: 0 }),
    );
    await writeFile(join(dir, 'demo-policies.yaml'), policy(2000));
    for (const split of ['train', 'test']) await writeProfiled(join(demo, 'data', `${split}.jsonl`), join(dir, `demo-${split}.jsonl`));
    const out = join(dir, 'demo');
    const { code, stdout, stderr } = await cutlayerHere([
      ...['gateway', 'audit-extraction', '--backbone', backboneDir, '--bundle', bundleDir, '--out', out],
      ...['--student', join(demo, 'backbone/checkpoint/config.json'), '--protection', join(dir, 'demo-policies.yaml')],
      ...['--data', join(dir, 'demo-train.jsonl'), '--held-out', join(dir, 'demo-test.jsonl'), '--rows', '20000', '--steps', '60'],
    ]);
    assert.equal(code, 0, stderr);
    const { model, students, taken } = await reportIn(out);
    assert.ok(model.accuracy > 0.99, stdout);
    assert.deepEqual(taken.protected.refused, { policy: 'rows-per-day', allowed: 2000 }, stdout);
    assert.ok(taken.protected.rows <= 2000, stdout);
    assert.deepEqual(taken.protected.audited.alarms, ['rowsPerDay'], stdout);
    assert.ok(taken.protected.audited.refusals.length >= 1, stdout);
    assert.ok(taken.unprotected.rows > 19_000 && taken.unprotected.refused === null, stdout);
    // How far a student comes is measured, not bounded: docs/protection.md.
    for (const { loss, accuracy } of Object.values(students)) assert.ok(loss > model.loss && accuracy <= model.accuracy, stdout);
  });
});

/** The demo's records after the line that states their house style. */
async function writeProfiled(from: string, to: string): Promise<void> {
  const profile = 'Profile: code topics, colour urgency, order urgency site topic, slash, friendly tone.\n';
  const records = (await readFile(from, 'utf8')).trimEnd().split('\n');
  const lines = records.map((line) => {
    const { prompt, completion } = JSON.parse(line) as { readonly prompt: string; readonly completion: string };
    return JSON.stringify({ prompt: profile + prompt, completion });
  });
  await writeFile(to, `${lines.join('\n')}\n`);
}
