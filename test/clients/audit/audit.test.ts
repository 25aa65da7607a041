/** `cutlayer client audit`: attackers are as strong as they should be, fall to chance on noise, and an audit goes on where it was. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VendorView } from '../../../clients/typescript/audit/attacker.js';
import { labelsOfRecord } from '../../../clients/typescript/audit/attackers/known-head.js';
import type { AuditOptions, AuditReport } from '../../../clients/typescript/audit/audit.js';
import type { Measure } from '../../../clients/typescript/audit/metrics.js';
import { type AttackResult, attackers, runSuite } from '../../../clients/typescript/audit/suite.js';
import { type Example, loadExamples } from '../../../clients/typescript/data/examples.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { padLengths } from '../../../clients/typescript/defences/pad-lengths.js';
import { TrainingClient } from '../../../clients/typescript/training/training-client.js';
import { pack } from '../../../src/compiler/pack/pack.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { packedOnce } from '../../support/packed-fixture.js';
import { alone, figuresOf, values } from './audit-figures.js';
import { type AuditRig, auditRig, auditRigOf, randomExamples } from './audit-rig.js';

const byDifference = 'training records, by the loss less that of the bare model';
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
    assert.ok(chance < 0.2 && count > 60, `${chance} of ${count}`);
  });

  it('recovers them from coarse numbers on the wire too', async () => {
    const { attackers: found } = await rig.run('int8', { wire: 'int8', only: ['A0'] });
    assert.deepEqual(values(found, 'A0', ...ofTokens), [1, 1, 1]);
  });

  it('recovers them where learned positions are added to the rows', async () => {
    const other = await auditRig('gpt2-tiny', {}, false);
    try {
      assert.deepEqual(values((await other.run('gpt2', { only: ['A0'] })).attackers, 'A0', 'tokens recovered'), [1]);
    } finally {
      await other.close();
    }
  });

  it('knows how long each record is', () => {
    const figures = figuresOf(report.attackers, 'A5');
    assert.equal(figures['records whose number of tokens is known']!.value, 1);
    assert.equal(figures['records whose number of labels is known']!.value, 1);
  });

  it("finds the tokens of a prompt that is made of the data's tokens, and not of another", async () => {
    const metric = 'nearest tokens that records have (interval over virtual tokens)';
    const { view, truth } = await rig.open('first');
    const ids = [...truth.examples[0]!.tokenIds.subarray(0, 4)];
    const unused = Array.from({ length: rig.bundle.vocabSize }, (_, id) => id).filter(
      (id) => !truth.examples.some(({ tokenIds }) => tokenIds.includes(id)),
    );
    const share = async (tokens: readonly number[]): Promise<number> => {
      const prompt = await rig.bundle.embed(tokens);
      const given: VendorView = { ...view, record: async (index) => ({ ...(await view.record(index)), prompt }) };
      const run = { view: given, truth, only: ['A7' as const], kept: <R>(_: string, work: () => Promise<R>) => work() };
      return figuresOf(await runSuite({ ...run, onProgress: () => undefined }), 'A7')[metric]!.value;
    };
    assert.ok((await share(ids)) >= 1 / 3);
    assert.ok((await share(unused.slice(0, 4))) < (await share(ids)));
  });

  it('recovers next to nothing from noise of the same size', async () => {
    const { view, truth } = await rig.open('first');
    const results = await alone(view, truth, 'A0');
    const [tokens, , entities] = values(results, 'A0', ...ofTokens);
    assert.ok(tokens! < 0.05, `${tokens}`);
    assert.equal(entities, 0);
  });

  it('keeps what is done, sends no record again, and takes no other audit for its own', async () => {
    const trace = join(rig.dir, 'first', 'trace');
    const files = await readdir(trace);
    assert.equal(files.length, 6);
    // A finished attacker reads no record again, and a record that has a trace is not sent.
    for (const file of files) await writeFile(join(trace, file), 'broken');
    assert.deepEqual(await rig.run('first'), report);
    for (const file of files) assert.equal(await readFile(join(trace, file), 'utf8'), 'broken');
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

describe('an audit of a client that holds a block', () => {
  let rig: AuditRig;
  before(async () => {
    rig = await auditRig('llama-tiny', { bottom: 1 }, false);
  });
  after(() => rig.close());

  it('finds every token by a search through the block, of rounded rows too', async () => {
    for (const wire of depth(['f32', 'f16', 'bf16', 'int8'] as const, ['int8'] as const)) {
      const { attackers: found } = await rig.run(wire, { wire, only: ['A0', 'A1'], examples: rig.examples.slice(0, 2), planted: 1 });
      assert.deepEqual(values(found, 'A1', ...ofTokens), [1, 1, 1]);
      assert.match(found.find(({ id }) => id === 'A0')!.skipped!, /holds 1 bottom block.*see A1/);
    }
  });

  it('finds next to nothing in noise of the same size', async () => {
    const { view, truth } = await rig.open('noise', { examples: rig.examples.slice(0, 1), planted: 1 });
    const results = await alone(view, truth, 'A1');
    const [tokens, , entities] = values(results, 'A1', ...ofTokens);
    assert.ok(tokens! < 0.05, `${tokens}`);
    assert.equal(entities, 0);
  });

  for (const [fixture, bottom] of [
    ['gpt2-tiny', 1],
    ['gemma2-tiny', 2],
    ['phi3-tiny', 1],
  ] as const)
    thorough(`finds every token of ${fixture} behind ${bottom}`, async () => {
      const other = await auditRig(fixture, { bottom }, false);
      try {
        assert.deepEqual(values((await other.run('a', { only: ['A1'] })).attackers, 'A1', 'tokens recovered'), [1]);
      } finally {
        await other.close();
      }
    });
});

describe('an audit over a gateway', () => {
  let rig: AuditRig;
  let report: AuditReport;
  before(async () => {
    rig = await auditRig('llama-tiny', {}, true);
    report = await rig.run('online');
  });
  after(() => rig.close());

  it('recovers every label from cotangents with a known head, rounded ones too', async () => {
    assert.deepEqual(values(report.attackers, 'A3', 'labels recovered'), [1]);
    for (const wire of depth(['f16', 'bf16', 'int8'] as const, ['int8'] as const)) {
      const { attackers: found } = await rig.run(wire, { wire, only: ['A3'] });
      assert.deepEqual(values(found, 'A3', 'labels recovered'), [1], wire);
    }
  });

  it('tells equal labels from different ones without the head', () => {
    const [{ value, metric }] = Object.values(figuresOf(report.attackers, 'A3u')) as [Measure];
    assert.match(metric, /by direction/);
    assert.ok(value > 0.9, `${value}`);
  });

  it("guesses a label from a returned row exactly where the model's own answer is that label", async () => {
    assert.deepEqual(values(report.attackers, 'A8', 'labels recovered'), [await rig.accuracy()]);
  });

  it('tells the records of a sum of updates, and fewer of them under noise', () => {
    const figures = figuresOf(report.attackers, 'A7s');
    const [bare, noised] = ['without noise', 'noise multiplier 1'].map((noise) => figures[`AUC of records of a sum, ${noise}`]!);
    assert.ok(bare!.value > 0.97, `${bare!.value}`);
    assert.ok(noised!.high < bare!.low, `${noised!.high} and ${bare!.low}`);
  });

  it('tells records that have trained an adapter from others of their kind, and others not from others', async () => {
    const adapter = await rig.prompt();
    const all = randomExamples(18, { length: 10, vocabSize: rig.bundle.vocabSize, seed: 11 });
    const given = (examples: readonly Example[], nonMembers: readonly Example[]) => ({
      ...{ examples, nonMembers, adapter, planted: 0, fresh: false, only: ['A6' as const] },
    });
    const members = all.slice(0, 6);
    const prepare = (options: AuditOptions) => overfit(options, members);
    const figures = figuresOf((await rig.run('members', { ...given(members, all.slice(6)), prepare })).attackers, 'A6');
    const [norm, loss, difference] = ['the norms of cotangents', 'the loss', 'the loss less that of the bare model'].map(
      (signal) => `training records, by ${signal}`,
    );
    const metrics = [norm, loss, difference].flatMap((what) => [`AUC of ${what}`, `found at 1 % false positives: ${what}`]);
    assert.deepEqual(Object.keys(figures), metrics);
    for (const what of [loss, difference]) assert.ok(figures[`AUC of ${what}`]!.value > 0.9, what);
    assert.ok(figures[`found at 1 % false positives: ${loss}`]!.value > 0.5);
    for (const others of depth([all.slice(6, 12)], [])) {
      const untrained = figuresOf((await rig.run('others', given(others, all.slice(12)))).attackers, 'A6');
      for (const what of [norm, loss, difference]) assert.ok(untrained[`AUC of ${what}`]!.value < 0.8, what);
    }
  });

  it('asks of membership only with an adapter, and with records that are not audited', async () => {
    const all = randomExamples(3, { length: 10, vocabSize: rig.bundle.vocabSize, seed: 12 });
    const why = async (name: string, given: object): Promise<string | null> =>
      (await rig.run(name, { examples: all.slice(0, 1), planted: 0, only: ['A6'], ...given })).attackers[0]!.skipped;
    assert.match((await why('fresh', { nonMembers: all.slice(1) }))!, /no record has trained it; pass --adapter/);
    assert.match((await why('no others', { fresh: false }))!, /pass --non-members/);
    await assert.rejects(why('both', { nonMembers: all }), {
      code: 'INVALID_ARGUMENT',
      message: /^random:0: expected a record that is not/,
    });
  });

  it('tells records of many labels by the time of their loss', async () => {
    const { view, truth } = await rig.open('online');
    assert.ok((await view.record(0)).lossMs! > 0);
    const labels = truth.examples.map(({ labelMask }) => labelMask.reduce((sum, one) => sum + one, 0));
    const area = async (lossMs: (labels: number) => number): Promise<number | undefined> => {
      const timed = { ...view, record: async (at: number) => ({ ...(await view.record(at)), lossMs: lossMs(labels[at]!) }) };
      const run = { view: timed, truth, only: ['A5' as const], kept: <R>(_: string, work: () => Promise<R>) => work() };
      const figures = figuresOf(await runSuite({ ...run, onProgress: () => undefined }), 'A5');
      return figures['AUC of records with more labels than the median, by the time of the loss']?.value;
    };
    assert.deepEqual([await area((many) => 5 + many), await area(() => 5), await area((many) => -many)], [1, 0.5, 0]);
  });

  it('falls to chance where cotangents and outputs are noise', async () => {
    const { view, truth } = await rig.open('online');
    assert.ok(values(await alone(view, truth, 'A3'), 'A3', 'labels recovered')[0]! < 0.3);
    assert.ok(values(await alone(view, truth, 'A8'), 'A8', 'labels recovered')[0]! < 0.3);
    // Few pairs have equal labels, so that one draw of noise says little.
    let sum = 0;
    for (const seed of [1, 2, 3, 4, 5]) sum += Object.values(figuresOf(await alone(view, truth, 'A3u', seed), 'A3u'))[0]!.value;
    assert.ok(sum / 5 < 0.7, `${sum / 5}`);
  });
});

describe('an audit over a gateway of a client that holds a block above', () => {
  thorough('tells equal labels from different ones by what comes down through that block, padded texts too', async () => {
    const rig = await auditRig('llama-tiny', { top: 1 }, true);
    try {
      const areaOf = (results: readonly AttackResult[]) => (Object.values(figuresOf(results, 'A3u')) as [Measure])[0];
      const bare = areaOf((await rig.run('bare', { planted: 0, only: ['A3u'] })).attackers);
      assert.ok(bare.value > 0.9, `${bare.value}`);
      const defences = new Defences([], padLengths([56]));
      const padded = areaOf((await rig.run('padded', { planted: 0, only: ['A3u'], defences })).attackers);
      // The same pairs of rows: those without a label are none of them.
      assert.equal(padded.count, bare.count);
      assert.ok(Math.abs(padded.value - bare.value) < 0.01, `${padded.value}, ${bare.value}`);
      const { view, truth } = await rig.open('bare', { planted: 0 });
      let sum = 0;
      for (const seed of [1, 2, 3, 4, 5]) sum += areaOf(await alone(view, truth, 'A3u', seed)).value;
      assert.ok(sum / 5 < 0.7, `${sum / 5}`);
    } finally {
      await rig.close();
    }
  });

  it("guesses a label behind that block exactly where the model's own answer is that label", async () => {
    const rig = await auditRig('llama-tiny', { top: 1 }, true);
    try {
      const { attackers: found } = await rig.run('top', { planted: 0, only: ['A8'] });
      const accuracy = await rig.accuracy();
      assert.deepEqual(values(found, 'A8', 'labels recovered'), [accuracy]);
      const [first] = rig.examples;
      const labels = await rig.run('labels', { planted: 0, examples: [first!], only: ['A3'] });
      assert.deepEqual(values(labels.attackers, 'A3', 'labels recovered'), [1]);
      // Rows without a label have no cotangent left when those of all labels are taken out.
      const { view } = await rig.open('labels', { planted: 0, examples: [first!] });
      const guesses = await labelsOfRecord(view, 0);
      assert.equal(
        guesses.length,
        first!.labelMask.reduce((sum, one) => sum + one, 0),
      );
    } finally {
      await rig.close();
    }
  });
});

/** Trains an adapter until it knows the records by heart. */
async function overfit(
  { bundle, connection, adapter }: AuditOptions,
  examples: readonly Example[],
  { learningRate = 0.5, steps = 12 } = {},
): Promise<void> {
  const client = new TrainingClient(bundle, connection, adapter, { learningRate });
  for (let step = 0; step < steps; step++) {
    await client.forwardBackward(examples);
    await client.optimStep();
  }
}

/** Each with the answer of the next. */
function withOtherAnswers(examples: readonly Example[]): readonly Example[] {
  return examples.map((example, at) => {
    const { tokenIds, labelMask, promptLength } = examples[(at + 1) % examples.length]!;
    return {
      ...example,
      tokenIds: Int32Array.of(...example.tokenIds.subarray(0, example.promptLength), ...tokenIds.subarray(promptLength)),
      labelMask: Uint8Array.of(...example.labelMask.subarray(0, example.promptLength), ...labelMask.subarray(promptLength)),
    };
  });
}

describe("an audit of the demo's model", () => {
  for (const bottom of [0, 1])
    thorough(`recovers all tokens, and at k = 0 all labels and records that were learned by heart, at k = ${bottom}`, async function () {
      this.timeout(600_000);
      const demo = join(packageRoot(), 'demo');
      const packed = await packedOnce(`packed-demo-audit-${bottom}`, (outDir) =>
        pack({ checkpointDir: join(demo, 'backbone/checkpoint'), outDir, bottom, top: 0 }),
      );
      const rig = await auditRigOf(packed, bottom === 0, (bundle) =>
        loadExamples(join(demo, 'data/test.jsonl'), bundle.tokenizer, { maxLength: 128, overlong: 'truncate' }),
      );
      try {
        const { attackers: found } = await rig.run('demo', { planted: 8 });
        assert.deepEqual(values(found, bottom === 0 ? 'A0' : 'A1', ...ofTokens), [1, 1, 1]);
        const [rouge] = values(found, 'A2', 'ROUGE-L of the text');
        assert.ok(rouge! >= 0.84, `${rouge}`);
        if (bottom > 0) return;
        assert.deepEqual(values(found, 'A3', 'labels recovered'), [1]);
        assert.deepEqual(values(found, 'A4', ofTokens[0]!), [1]);
        // Answers of other records, which a prompt can only learn by heart.
        const all = withOtherAnswers(rig.examples.slice(0, 18));
        const [members, nonMembers] = [all.slice(0, 6), all.slice(6)];
        const given = { examples: members, nonMembers, adapter: await rig.prompt(), planted: 0, fresh: false, only: ['A6' as const] };
        const prepare = (options: AuditOptions) => overfit(options, members, { learningRate: 0.1, steps: 60 });
        const [auc] = values((await rig.run('by heart', { ...given, prepare })).attackers, 'A6', `AUC of ${byDifference}`);
        assert.ok(auc! > 0.8, `${auc}`);
      } finally {
        await rig.close();
      }
    });
});
