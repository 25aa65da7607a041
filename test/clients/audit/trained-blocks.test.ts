/** Held blocks that are trained in secret: a search through the vendor's own blocks finds fewer tokens. */
import assert from 'node:assert/strict';
import type { Adapter } from '../../../clients/typescript/adapters/adapter.js';
import { createAdapter } from '../../../clients/typescript/adapters/registry.js';
import { prefixTokens } from '../../../clients/typescript/audit/attackers/prefix-search.js';
import { LikelyTokens } from '../../../clients/typescript/audit/likely-tokens.js';
import { normalTensor, seeded } from '../../../src/tensor/random.js';
import { values } from './audit-figures.js';
import { type AuditRig, auditRig } from './audit-rig.js';

describe('an audit of held blocks that are trained in secret', () => {
  let rig: AuditRig;
  before(async () => {
    rig = await auditRig('llama-tiny', { bottom: 1 }, false);
  });
  after(() => rig.close());

  /** LoRA whose second factors are so far from their first value, 0. */
  const lora = async (deviation: number): Promise<Adapter> => {
    const keyValues = () => Promise.reject(new Error('no keys and values are asked for'));
    const adapter = await createAdapter({ bundle: rig.bundle, keyValues }, 'prompt-tuning+lora', { virtualTokens: 4, seed: 3 });
    const random = seeded(4);
    for (const { name, value } of adapter.parameters)
      if (name.includes('lora_B')) value.data.set(normalTensor(random, value.shape, 0, deviation).data);
    return adapter;
  };

  it("finds fewer tokens by the vendor's blocks than by the trained ones, and all where nothing was trained", async () => {
    const options = { only: ['A1' as const], examples: rig.examples.slice(0, 1), planted: 0 };
    const found = async (name: string, adapter: Adapter): Promise<number> =>
      values((await rig.run(name, { ...options, adapter, fresh: false })).attackers, 'A1', 'tokens recovered')[0]!;
    assert.equal(await found('untrained', await lora(0)), 1);
    const trained = await lora(1);
    const bare = await found('trained', trained);
    assert.ok(bare < 0.5, `${bare}`);
    const { view } = await rig.open('trained', { ...options, adapter: trained, fresh: false });
    const known = await prefixTokens(view, await LikelyTokens.open(rig.bundle), { at: 0, parts: await view.parts(0) });
    assert.deepEqual(known, [...rig.examples[0]!.tokenIds]);
  });
});
