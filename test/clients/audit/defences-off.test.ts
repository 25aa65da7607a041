/** What a defence claims holds while it is on, and not where its stage or its noise is off. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { LearnedRows } from '../../../clients/typescript/adapters/learned-rows.js';
import type { VendorView } from '../../../clients/typescript/audit/attacker.js';
import { labelsOf } from '../../../clients/typescript/audit/metrics.js';
import { type AttackResult, runSuite } from '../../../clients/typescript/audit/suite.js';
import { type Example, loadExamples } from '../../../clients/typescript/data/examples.js';
import type { defenceClaims } from '../../../clients/typescript/defences/claims.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { labelNoise } from '../../../clients/typescript/defences/label-noise.js';
import { learnedNoise } from '../../../clients/typescript/defences/learned-noise.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { padLengths } from '../../../clients/typescript/defences/pad-lengths.js';
import { redactor } from '../../../clients/typescript/defences/redaction.js';
import { rowNoise } from '../../../clients/typescript/defences/row-noise.js';
import { tokenNoise } from '../../../clients/typescript/defences/token-noise.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { mapOf } from '../../support/learned-map.js';
import { writeNotes } from '../../support/training-data.js';
import { values } from './audit-figures.js';
import { type AuditRig, auditRig } from './audit-rig.js';

const tokens = 'tokens recovered';

/** What an attacker finds: with the defence as it is, and without its noise or its stage. */
const claims: { readonly [Name in keyof typeof defenceClaims]: readonly [title: string, seen: (rig: AuditRig) => Promise<void>] } = {
  'row-noise': [
    'gains by averaging what is sent again only where noise is not frozen',
    async (rig) => {
      const times = 12;
      const deviation = await rowDeviation(rig.bundle);
      const averaged = async (name: string, secretOf: () => NoiseSecret): Promise<readonly [once: number, mean: number]> => {
        const views: VendorView[] = [];
        let found: readonly AttackResult[] = [];
        for (let at = 0; at < times; at++) {
          const defences = new Defences([rowNoise({ scale: 3, deviation, secret: secretOf() })]);
          const { view, truth } = await rig.open(`${name} ${at}`, { only: ['A0'], planted: 0, defences });
          views.push(view);
          if (at > 0 && at < times - 1) continue;
          const mean: VendorView = {
            ...view,
            record: async (index) => ({ ...(await view.record(index)), rows: await meanRows(views, index) }),
          };
          const run = { view: mean, truth, only: ['A0' as const], kept: <R>(_: string, work: () => Promise<R>) => work() };
          found = [...found, ...(await runSuite({ ...run, onProgress: () => undefined }))];
        }
        return found.map((one) => values([one], 'A0', tokens)[0]!) as [number, number];
      };
      const secret = NoiseSecret.parse('4'.repeat(64), 'test');
      const [once, frozen] = await averaged('frozen', () => secret);
      assert.equal(frozen, once);
      const [alone, fresh] = await averaged('fresh', () => NoiseSecret.fresh());
      assert.ok(once < 0.6 && alone < 0.6 && fresh > 0.95, `${once}, ${alone}, ${fresh}`);
    },
  ],
  'learned-noise': [
    'finds few tokens under large sizes with their values in hand, and all without the stage',
    async (rig) => {
      const map = mapOf({ ...(await sizesOf(rig)), bias: () => 1.5 });
      const adapter = new LearnedRows(await rig.prompt(), map);
      const found = async (name: string, defences: Defences) =>
        values((await rig.run(name, { only: ['A0'], planted: 0, adapter, defences })).attackers, 'A0', tokens)[0]!;
      const few = await found('learned', new Defences([learnedNoise({ strength: 1, secret: NoiseSecret.fresh() })]));
      assert.ok(few < 0.2, `${few}`);
      assert.equal(await found('not learned', new Defences()), 1);
    },
  ],
  'token-noise': [
    'finds tokens without noise on them, and few under the noise of a small epsilon',
    async (rig) => {
      const clipNorm = (await rowDeviation(rig.bundle)) * Math.sqrt(rig.bundle.dims.hiddenSize);
      const found = async (noiseMultiplier: number) => {
        const defences = new Defences([tokenNoise({ clipNorm, noiseMultiplier, secret: NoiseSecret.fresh() })]);
        return values((await rig.run(`tokens ${noiseMultiplier}`, { only: ['A0'], planted: 0, defences })).attackers, 'A0', tokens)[0]!;
      };
      assert.ok((await found(1e-4)) > 0.95);
      const few = await found(4);
      assert.ok(few < 0.2, `${few}`);
    },
  ],
  'pad-lengths': [
    'knows lengths of records without padding alone',
    async (rig) => {
      const metrics = ['records whose number of tokens is known', 'records whose number of labels is known'];
      const found = async (name: string, defences?: Defences) =>
        (await rig.run(name, { only: ['A5'], planted: 0, ...(defences && { defences }) })).attackers;
      assert.deepEqual(values(await found('lengths'), 'A5', ...metrics), [1, 1]);
      const padded = await found('padded', new Defences([], padLengths([56])));
      assert.deepEqual(values(padded, 'A5', metrics[0]!, 'records that no other record looks like'), [0, 0]);
    },
  ],
  'label-noise': [
    'finds all labels as they are, and of drawn ones just those that were kept, with all that was sent',
    async () => {
      const rig = await auditRig('llama-tiny', {}, true);
      try {
        await seenLabels(rig);
      } finally {
        await rig.close();
      }
    },
  ],
  redact: [
    'finds planted names and numbers in texts as they are, and none that was replaced in all that was sent',
    async (rig) => {
      const metrics = [tokens, 'planted names and numbers'];
      assert.deepEqual(values((await rig.run('plain', { only: ['A0'] })).attackers, 'A0', ...metrics), [1, 1]);
      const { truth } = await rig.open('plain', { only: ['A0'] });
      const words = truth.planted.map(({ entities }) => entities[0]!);
      const defences = new Defences([], undefined, redactor({ kinds: ['phones'], words }));
      assert.deepEqual(values((await rig.run('redacted', { only: ['A0'], defences })).attackers, 'A0', ...metrics), [1, 0]);
    },
  ],
};

const sizesOf = async ({ bundle }: AuditRig) => {
  const unit = await rowDeviation(bundle);
  return { hiddenSize: bundle.dims.hiddenSize, unit, shift: 0.6, spread: 0.1 };
};

describe('an audit with a defence on, and off', () => {
  let rig: AuditRig;
  before(async () => {
    rig = await auditRig('llama-tiny', {}, false);
  });
  after(() => rig.close());

  for (const [name, [title, seen]] of Object.entries(claims)) it(`${name}: ${title}`, () => seen(rig));
});

async function seenLabels(rig: AuditRig): Promise<void> {
  const file = join(rig.dir, 'labels.jsonl');
  writeNotes(file, 16, 4);
  const all = await loadExamples(file, rig.bundle.tokenizer, { maxLength: 56 });
  const [examples, others] = [all.slice(0, 6), all.slice(6)];
  const options = { only: ['A0' as const, 'A3' as const, 'A5' as const], examples, others, planted: 0 };
  const found = async (name: string, defences?: Defences): Promise<readonly number[]> => {
    const { attackers } = await rig.run(name, { ...options, ...(defences && { defences }) });
    const of = (id: string, metric: string) => values(attackers, id, metric)[0]!;
    return [of('A0', tokens), of('A5', 'records whose number of tokens is known'), of('A3', 'labels recovered')];
  };
  assert.deepEqual(await found('as they are'), [1, 1, 1]);
  const drawn = new Defences([], undefined, undefined, labelNoise({ epsilon: 0.5, secret: NoiseSecret.parse('8'.repeat(64), 'test') }));
  const relabelled = (some: readonly Example[]) => drawn.relabelled(some, { classes: undefined, most: 60 }).examples;
  const sent = relabelled(all);
  const labels = examples.map((example) => labelsOf(example, false));
  const kept = labels.map((own, at) => [...own].filter(([token, label]) => labelsOf(sent[at]!, false).get(token) === label).length);
  const share = kept.reduce((sum, count) => sum + count, 0) / labels.reduce((sum, { size }) => sum + size, 0);
  assert.ok(examples.some(({ tokenIds }, at) => tokenIds.length !== sent[at]!.tokenIds.length));
  // All that was sent comes back: it is another truth than that of the records.
  assert.deepEqual(await found('drawn', drawn), [1, 1, share]);
  assert.ok(share < 0.7, `${share}`);
  const nonMembers = others.slice(0, 4);
  const { view } = await rig.open('asked about', { examples, others, nonMembers, planted: 0, defences: drawn });
  // With labels of their own, those that have not trained would be told by that alone.
  assert.deepEqual(
    view.candidates.map(({ example }) => example.tokenIds),
    [...sent.slice(0, 6), ...relabelled(nonMembers)].map(({ tokenIds }) => tokenIds),
  );
}

async function meanRows(views: readonly VendorView[], index: number) {
  const all = await Promise.all(views.map(async (view) => (await view.record(index)).rows));
  const { shape, data } = all[0]!;
  return f32(
    shape,
    data.map((_, i) => all.reduce((sum, rows) => sum + rows.data[i]!, 0) / all.length),
  );
}
