import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';
import type { AdapterInput, CheckedInputs } from '../../../src/gateway/engine/step-inputs.js';
import { type Policy, policyNames } from '../../../src/gateway/protection/policy.js';
import { seeded } from '../../../src/tensor/random.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { memoryLedger } from '../../support/memory-ledger.js';
import { type ProtectionRig, protectionRig } from '../../support/protection-rig.js';

const D = 32;
const random = seeded(9);
const digestOf = (data: Float32Array): string => createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');
const rowsOf = (count: number, scale = 0.15): Float32Array => Float32Array.from({ length: count * D }, () => scale * random.normal());

/** One text, all of whose rows are wanted. */
function inputsOf(data: Float32Array, adapter: AdapterInput = { kind: 'none' }): CheckedInputs {
  const count = data.length / D;
  const prompt = adapter.kind === 'softPrompt' ? adapter.value.shape[0]! : 0;
  const positions = BigInt64Array.from({ length: prompt + count }, (_, row) => BigInt(row));
  return { hiddenStates: f32([1, count, D], data), adapter, positions } as CheckedInputs; // as a parser would make them
}

/** Calls of one tenant. */
function caller(rig: ProtectionRig, tenant = 'acme') {
  let ran = 0;
  const run = async () => ++ran;
  return {
    ran: () => ran,
    forward: (stepId: string, data: Float32Array, { training = true, adapter = { kind: 'none' } as AdapterInput } = {}) =>
      rig.protection.forward(
        { tenant, stepId, inputs: inputsOf(data, adapter), lengths: [data.length / D], training, digest: digestOf(data), dtype: 'f32' },
        run,
      ),
    backward: (stepId: string, data: Float32Array, wantHiddenStates = true) =>
      rig.protection.backward(
        { tenant, stepId, cotangent: f32([data.length / D, D], data), digest: digestOf(data), wantHiddenStates },
        run,
      ),
    append: (id: string, from: number, data: Float32Array) =>
      rig.protection.rows(
        { tenant, method: 'Decode', dtype: 'f32', rows: f32([data.length / D, D], data), answered: 1, session: { id, from } },
        run,
      ),
  };
}

async function refused(call: Promise<unknown>, policy: string): Promise<CutlayerError> {
  const error = await call.then(
    () => assert.fail(`expected ${policy}`),
    (caught: unknown) => CutlayerError.from(caught),
  );
  assert.equal(error.code, 'PROTECTION_REFUSED', error.message);
  assert.equal(error.details.policy, policy);
  return error;
}

const rig = (policy: Partial<Policy> = {}) => protectionRig({ hiddenSize: D, policy });

describe('protection of a backbone', () => {
  it('forgets the oldest steps of a tenant beyond its share', async () => {
    const { forward, backward } = caller(rig({ nearInputs: undefined }));
    const row = rowsOf(1);
    for (let id = 0; id <= 4096; id++) await forward(`${id}`, row);
    await assert.rejects(backward('0', row), { code: 'STEP_EVICTED' });
  });

  it('takes one cotangent a step, again and again, and also with that of the rows', async () => {
    const it = rig();
    const { forward, backward, ran } = caller(it);
    const cotangent = rowsOf(3);
    await forward('s', rowsOf(3));
    for (const want of [false, false, true, true]) await backward('s', cotangent.slice(), want);
    await refused(backward('s', rowsOf(3)), 'directions-per-step');
    assert.equal(ran(), 5);
    assert.deepEqual(it.events, [
      { decision: 'refused', policy: 'directionsPerStep', tenant: 'acme', method: 'Backward', id: 's', seen: 2, allowed: 1 },
    ]);
  });

  it('takes as many Backward calls of a step as the policy says, whatever they ask for', async () => {
    const { forward, backward } = caller(rig({ backwardsPerForward: 1 }));
    await forward('s', rowsOf(3));
    const cotangent = rowsOf(3);
    await backward('s', cotangent, false);
    await refused(backward('s', cotangent, true), 'backwards-per-forward');
  });

  it('asks for the Forward of a step that it does not remember, and forgets nothing by a repeated one', async () => {
    const { forward, backward } = caller(rig());
    await assert.rejects(backward('s', rowsOf(3)), { code: 'STEP_EVICTED' });
    const data = rowsOf(3);
    await forward('s', data);
    await backward('s', rowsOf(3));
    await forward('s', data);
    await refused(backward('s', rowsOf(3)), 'directions-per-step');
  });

  it('leaves a cotangent of the wrong shape to the engine', async () => {
    const { forward, backward } = caller(rig());
    await forward('s', rowsOf(3));
    assert.equal(await backward('s', rowsOf(2)), 2);
  });

  it('keeps tenants apart', async () => {
    const it = rig();
    const [one, two] = [caller(it, 'one'), caller(it, 'two')];
    await one.forward('s', rowsOf(3));
    await assert.rejects(two.backward('s', rowsOf(3)), { code: 'STEP_EVICTED' });
  });

  it('counts tokens before a row: virtual ones too, and rows without a cotangent not', async () => {
    const short = async (count: number, row: number, adapter: AdapterInput): Promise<string> => {
      const { forward, backward } = caller(rig());
      const prompt = adapter.kind === 'softPrompt' ? adapter.value.shape[0]! : 0;
      for (let step = 0; step < 17; step++) {
        await forward(`${step}`, rowsOf(count), { adapter });
        const cotangent = new Float32Array((prompt + count) * D);
        cotangent.set(rowsOf(1), (prompt + row) * D);
        const error = await backward(`${step}`, cotangent).then(
          () => undefined,
          (caught: unknown) => CutlayerError.from(caught),
        );
        if (error !== undefined) return `${step} ${error.details.policy}`;
      }
      return 'allowed';
    };
    const none: AdapterInput = { kind: 'none' };
    const prompt: AdapterInput = { kind: 'softPrompt', value: f32([1, D], rowsOf(1)) };
    const prefix: AdapterInput = { kind: 'prefix', value: f32([1, 2, 1, 2, D / 2], rowsOf(2)) };
    assert.equal(await short(1, 0, none), '16 min-tokens');
    assert.equal(await short(4, 0, none), '16 min-tokens');
    assert.equal(await short(4, 1, none), 'allowed');
    assert.equal(await short(1, 0, prompt), 'allowed');
    assert.equal(await short(1, 0, prefix), 'allowed');
    assert.equal(await short(1, -1, prompt), '16 min-tokens');
  });

  it('counts directions of an input up to its last row with a cotangent', async () => {
    const { forward, backward } = caller(rig({ directionsPerInput: 4 }));
    const text = rowsOf(3);
    const take = async (step: number) => {
      await forward(`${step}`, Float32Array.of(...text, ...rowsOf(1)));
      const cotangent = new Float32Array(4 * D);
      cotangent[2 * D + step] = 1;
      await backward(`${step}`, cotangent);
    };
    for (let step = 0; step < 4; step++) await take(step);
    await refused(take(4), 'directions-per-input');
  });

  it('counts near rows of decoded rows after rollbacks and forks, and not the same rows again', async () => {
    const it = rig({ nearInputs: 3 });
    const { append } = caller(it);
    const [text, row] = [rowsOf(4), rowsOf(1)];
    it.protection.openSession('acme', 'a');
    for (let again = 0; again < 5; again++) await append('a', 0, Float32Array.of(...text, ...row));
    it.protection.copySession('acme', 'a', 'b');
    const near = (id: string) =>
      append(
        id,
        4,
        row.map((value) => value + 1e-3 * random.normal()),
      );
    await near('a');
    await near('b');
    await near('a');
    await refused(near('b'), 'near-inputs');
    // Other rows after the same ones are other tokens.
    for (let token = 0; token < 20; token++) await append('a', 4, rowsOf(1));
    it.protection.endSession('acme', 'a');
  });

  it('allows a near input more for each fourth vjp', async () => {
    const it = rig({ nearInputs: 2 });
    const { forward, backward } = caller(it);
    const text = rowsOf(3);
    const near = () =>
      forward(
        'x',
        text.map((value) => value + 1e-3 * random.normal()),
        { training: false },
      );
    await forward('first', text);
    await near();
    await near();
    await refused(near(), 'near-inputs');
    for (let step = 0; step < 8; step++) {
      await forward(`${step}`, rowsOf(3));
      await backward(`${step}`, rowsOf(3));
    }
    await refused(near().then(near), 'near-inputs');
  });

  it('bounds the length of text rows and of rows of a soft prompt apart', async () => {
    const { forward } = caller(rig({ minRowNorm: 0.1, maxRowNorm: 3, maxPromptNorm: 10 }));
    await forward('a', rowsOf(3));
    assert.match((await refused(forward('b', rowsOf(3, 1e-4)), 'min-row-norm')).message, /at least 0\.1/);
    await refused(forward('c', rowsOf(3, 5)), 'max-row-norm');
    await forward('d', rowsOf(3), { adapter: { kind: 'softPrompt', value: f32([2, D], rowsOf(2, 1)) } });
    await refused(forward('e', rowsOf(3), { adapter: { kind: 'softPrompt', value: f32([2, D], rowsOf(2, 5)) } }), 'max-prompt-norm');
  });

  it('counts rows of answers once, raises an alarm at its share, and refuses at the bound until the next day', async () => {
    const it = rig({ rowsPerDay: 40 });
    const { forward, backward } = caller(it);
    const [data, cotangent] = [rowsOf(10), rowsOf(10)];
    for (const _ of [1, 2, 3]) await forward('s', data);
    for (const _ of [1, 2, 3]) await backward('s', cotangent);
    assert.deepEqual(it.events, []);
    await forward('t', rowsOf(12));
    assert.deepEqual(it.events, [
      { decision: 'alarm', policy: 'rowsPerDay', tenant: 'acme', method: 'Forward', id: 't', seen: 32, allowed: 40 },
    ]);
    assert.equal((await refused(forward('u', rowsOf(9)), 'rows-per-day')).details.seen, 41);
    await forward('v', rowsOf(8));
    it.clock.now += 24 * 3_600_000;
    await forward('u', rowsOf(9));
    assert.deepEqual(it.protection.stats(), { protectionRefused: 1, protectionAlarms: 1, protectionTenants: 1 });
  });

  it('does not charge a call that fails', async () => {
    const it = rig({ rowsPerDay: 10 });
    const inputs = inputsOf(rowsOf(10));
    const call = { tenant: 'acme', stepId: 's', inputs, lengths: [10], training: true, digest: 'd', dtype: 'f32' } as const;
    await assert.rejects(
      it.protection.forward(call, () => Promise.reject(new Error('queue full'))),
      /queue full/,
    );
    await it.protection.forward(call, async () => 0);
  });

  it('takes the rows of a day from its ledger in blocks, and gives back what is left at the end', async () => {
    const ledger = memoryLedger();
    const first = protectionRig({ hiddenSize: D, policy: { rowsPerDay: 2560 }, ledger });
    const day = Math.floor(first.clock.now / 86_400_000);
    const counted = async () => (await ledger.read(['acme'], day)).get('acme');
    for (let step = 0; step < 5; step++) await caller(first).forward(`${step}`, rowsOf(3));
    assert.equal(await counted(), 20);
    await first.budget.close();
    assert.equal(await counted(), 15);
    // After a restart the day goes on where it was.
    const second = protectionRig({ hiddenSize: D, policy: { rowsPerDay: 20 }, ledger });
    await caller(second).forward('a', rowsOf(5));
    await refused(caller(second).forward('b', rowsOf(1)), 'rows-per-day');
  });

  it('looks at no call of a tenant without a bound, and asks for the Forward again once there is one', async () => {
    let policy: Partial<Policy> = Object.fromEntries(policyNames.map((name) => [name, undefined]));
    const it = protectionRig({ hiddenSize: D, policy: () => policy });
    const { forward, backward, append, ran } = caller(it);
    await forward('s', rowsOf(3));
    for (let call = 0; call < 4; call++) await backward('s', rowsOf(3));
    await append('d', 0, rowsOf(2));
    assert.deepEqual([ran(), it.protection.stats().protectionTenants], [6, 0]);
    policy = {};
    await assert.rejects(backward('s', rowsOf(3)), { code: 'STEP_EVICTED' });
    await forward('s', rowsOf(3));
    await backward('s', rowsOf(3));
    await refused(backward('s', rowsOf(3)), 'directions-per-step');
  });
});
