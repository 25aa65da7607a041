/** `cutlayer client audit`: attackers are as strong as they should be, fall to chance on noise, and an audit goes on where it was. */
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditReport } from '../../../clients/typescript/audit/audit.js';
import type { Measure } from '../../../clients/typescript/audit/metrics.js';
import { type AttackResult, attackers, runSuite } from '../../../clients/typescript/audit/suite.js';
import { type AuditRig, auditRig, scrambled } from './audit-rig.js';

/** An attacker's figures by their names. */
function figuresOf(results: readonly AttackResult[], id: string): Readonly<Record<string, Measure>> {
  const found = results.find((one) => one.id === id);
  assert.equal(found?.skipped, null, `${id}: ${found?.skipped}`);
  return Object.fromEntries(found.measures.map((measure) => [measure.metric, measure]));
}

const values = (results: readonly AttackResult[], id: string, ...metrics: readonly string[]): readonly number[] => {
  const figures = figuresOf(results, id);
  return metrics.map((metric) => figures[metric]!.value);
};

const ofTokens = ['tokens recovered', 'ROUGE-L of the text', 'planted names and numbers'];

describe('an audit without a gateway', () => {
  let rig: AuditRig;
  let report: AuditReport;
  before(async () => {
    rig = await auditRig('llama-tiny', {}, false);
    report = await rig.run('first');
  });
  after(() => rig.close());

  it('recovers every token, and every planted name and number, where the client holds no block', () => {
    assert.deepEqual(values(report.attackers, 'A0', ...ofTokens), [1, 1, 1]);
    const { low, high, chance, count } = figuresOf(report.attackers, 'A0')['tokens recovered']!;
    assert.deepEqual([low, high], [1, 1]);
    assert.ok(chance < 0.2 && count > 100, `${chance} of ${count}`);
  });

  it('recovers them from coarse numbers on the wire too', async () => {
    const { attackers: found } = await rig.run('int8', { wire: 'int8', only: ['A0'] });
    assert.deepEqual(values(found, 'A0', ...ofTokens), [1, 1, 1]);
  });

  it('knows how long each record is', () => {
    const figures = figuresOf(report.attackers, 'A5');
    assert.equal(figures['records whose number of tokens is known']!.value, 1);
    assert.equal(figures['records whose number of labels is known']!.value, 1);
  });

  it('recovers next to nothing from noise of the same size', async () => {
    const { view, truth } = await rig.open('first');
    const results = await runSuite({
      ...{ view: scrambled(view, 7), truth, only: ['A0'] },
      kept: (_, work) => work(),
      onProgress: () => undefined,
    });
    const [tokens, , entities] = values(results, 'A0', ...ofTokens);
    assert.ok(tokens! < 0.05, `${tokens}`);
    assert.equal(entities, 0);
  });

  it('keeps what is done, sends no record again, and takes no other audit for its own', async () => {
    const trace = join(rig.dir, 'first', 'trace');
    const files = await readdir(trace);
    assert.equal(files.length, 8);
    // A finished attacker reads no record again, and a record that has a trace is not sent.
    for (const file of files) await writeFile(join(trace, file), 'broken');
    assert.deepEqual(await rig.run('first'), report);
    await assert.rejects(rig.run('first', { seed: 1 }), { code: 'ALREADY_EXISTS', message: /other options or data/ });
    await assert.rejects(rig.run('first', { wire: 'f16' }), { code: 'ALREADY_EXISTS' });
    await rm(trace, { recursive: true });
  });

  it('says of each attacker that cannot run why not, and gives no figure of it', () => {
    for (const { id, skipped, measures } of report.attackers) {
      if (skipped === null) assert.ok(measures.length > 0, id);
      else assert.deepEqual([/ /.test(skipped), measures], [true, []], id);
    }
    assert.deepEqual(
      report.attackers.map(({ id }) => id),
      attackers.map(({ id }) => id),
    );
  });
});
