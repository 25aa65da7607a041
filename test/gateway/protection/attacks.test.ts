/** The attacks of docs/protection.md, over gRPC against a tiny gateway. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';
import { type Access, accessOf, basis, collect, type Outcome } from './attacks/access.js';
import { basisCotangents, finiteDifferences, firstRowJacobian, manyVjpsOfOneStep, oneTokenJacobian } from './attacks/jacobians.js';

const HIDDEN_SIZE = 64;

/** Each with the policy that ends it, and what it has by then at most. */
const attacks: Readonly<Record<string, readonly [run: (access: Access) => Promise<Outcome>, policy: string, most: number]>> = {
  'many vjps of one step': [manyVjpsOfOneStep, 'directions-per-step', 1],
  'a Jacobian of texts of one token': [oneTokenJacobian, 'min-tokens', 16],
  'the same in the first row of longer texts': [firstRowJacobian, 'min-tokens', 16],
  'basis cotangents of one input, a step each': [basisCotangents, 'directions-per-input', HIDDEN_SIZE / 4],
  'finite differences of one value': [(access) => finiteDifferences(access, 'one value'), 'near-inputs', HIDDEN_SIZE / 2],
  'finite differences of all rows': [(access) => finiteDifferences(access, 'all rows'), 'near-inputs', (HIDDEN_SIZE * 3) / 4],
};

describe('attacks on a model', () => {
  let gateway: TestGateway;
  let dir: string;

  before(async () => {
    dir = (await tinyBackbone({ hiddenSize: HIDDEN_SIZE, numLayers: 2 })).dir;
    gateway = await startTestGateway({ backboneDir: dir, start: { insecure: true } });
  });
  after(async () => {
    await gateway.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('counts the rows of a day on after a restart', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-day-'));
    const policies = join(stateDir, 'policies.yaml');
    await writeFile(policies, 'tenants:\n  acme: { rows-per-day: 20, alarm-at: 0.5 }\n');
    const start = { insecure: true, stateDir, protection: policies };
    for (const [texts, refusals] of [
      [2, 0],
      [4, 1],
    ] as const) {
      const running = await startTestGateway({ backboneDir: dir, start });
      const access = await accessOf(running, 'acme');
      const { refusal } = await collect(texts, () => access.forward(Array.from({ length: 5 }, (_, i) => basis(HIDDEN_SIZE, i, 0.1))));
      assert.equal(refusal?.details.policy, refusals === 0 ? undefined : 'rows-per-day');
      assert.deepEqual(
        [running.gateway.protection.stats().protectionRefused, running.gateway.protection.stats().protectionAlarms],
        [refusals, 1],
      );
      await running.close();
    }
    await rm(stateDir, { recursive: true, force: true });
  });

  for (const [name, [run, policy, most]] of Object.entries(attacks)) {
    it(`refuses ${name}`, async () => {
      const before = gateway.gateway.protection.stats();
      const { obtained, refusal } = await run(await accessOf(gateway, name.replaceAll(/[ ,]+/g, '-')));
      assert.equal(refusal?.details.policy, policy);
      assert.equal(refusal?.retry, 'no');
      assert.ok(Number(refusal?.details.seen) !== Number(refusal?.details.allowed));
      assert.ok(obtained <= most, `${obtained} of ${HIDDEN_SIZE}`);
      const { protectionRefused, protectionAlarms } = gateway.gateway.protection.stats();
      assert.equal(protectionRefused, before.protectionRefused + 1);
      if (/input/.test(policy)) assert.equal(protectionAlarms, before.protectionAlarms + 1);
    });
  }
});
