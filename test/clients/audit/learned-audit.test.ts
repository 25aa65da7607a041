/** Attackers on rows under a learned transform: they have its values, and not its noise. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { LearnedRows } from '../../../clients/typescript/adapters/learned-rows.js';
import type { AttackerId, VendorView } from '../../../clients/typescript/audit/attacker.js';
import { runSuite } from '../../../clients/typescript/audit/suite.js';
import { type Example, loadExamples } from '../../../clients/typescript/data/examples.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { learnedNoise } from '../../../clients/typescript/defences/learned-noise.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { mapOf } from '../../support/learned-map.js';
import { writeNotes } from '../../support/training-data.js';
import { values } from './audit-figures.js';
import { type AuditRig, auditRig } from './audit-rig.js';

const tokens = 'tokens recovered';
const noise = () => new Defences([learnedNoise({ strength: 1, secret: NoiseSecret.fresh() })]);

/** Noise of few coordinates is small, and of the others large. */
const uneven = (at: number): number => (at % 4 === 0 ? -0.4 : 0.6);

interface Tried {
  readonly only: AttackerId;
  readonly bias: (at: number) => number;
  readonly shift?: number;
}

/** The shares of tokens that attackers find, and that they find without the transform's values. */
async function shares(fixture: string, bottom: number, tried: readonly Tried[]): Promise<readonly (readonly [number, number])[]> {
  const rig = await auditRig(fixture, { bottom }, false);
  try {
    const { hiddenSize } = rig.bundle.dims;
    const found: (readonly [number, number])[] = [];
    for (const [at, { only, bias, shift = 0.6 }] of tried.entries()) {
      const map = mapOf({ hiddenSize, unit: await rowDeviation(rig.bundle), shift, spread: 0.1, bias });
      const adapter = new LearnedRows(await rig.prompt(), map);
      const defences = { defences: noise(), twin: noise() };
      const options = {
        ...defences,
        adapter,
        others: only === 'A4' ? await othersOf(rig) : [],
        planted: 0,
        only: [only],
        examples: rig.examples.slice(0, depth(4, 1)),
      };
      const { view, truth } = await rig.open(`tried ${at}`, options);
      const of = async (given: VendorView): Promise<number> =>
        values(
          await runSuite({ view: given, truth, only: [only], kept: (_, work) => work(), onProgress: () => undefined }),
          only,
          tokens,
        )[0]!;
      found.push([await of(view), await of({ ...view, rowTransform: undefined })]);
    }
    return found;
  } finally {
    await rig.close();
  }
}

/** Texts from which an attacker learns. */
async function othersOf({ dir, bundle }: AuditRig): Promise<readonly Example[]> {
  const file = join(dir, 'others.jsonl');
  writeNotes(file, 8, 9);
  return loadExamples(file, bundle.tokenizer, { maxLength: 56 });
}

describe('an audit of rows under a learned transform', () => {
  it('finds tokens by the exact law where the nearest row misses them', async () => {
    const [found] = await shares('llama-tiny', 0, [{ only: 'A0', bias: uneven }]);
    assert.ok(found![0] > 0.9 && found![1] < found![0] - 0.3, `${found}`);
  });

  it('takes learned positions for a part of the row', async () => {
    const [found] = await shares('gpt2-tiny', 0, [{ only: 'A0', bias: () => -0.8 }]);
    assert.ok(found![0] === 1 && found![1] < 1, `${found}`);
  });

  it('does so through held blocks too', async () => {
    const [found] = await shares('llama-tiny', 1, [{ only: 'A1', bias: uneven }]);
    assert.ok(found![0] > 0.8 && found![1] < found![0] - 0.3, `${found}`);
  });

  for (const bottom of [0, 1])
    thorough(`searches over whole texts by the same law, at k = ${bottom}`, async () => {
      const [found] = await shares('llama-tiny', bottom, [{ only: 'A4', bias: uneven }]);
      assert.ok(found![0] > 0.8, `${found}`);
    });
});
