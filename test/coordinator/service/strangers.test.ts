/**
 * A token of one federation's member with the id of another federation, in every call: the answer
 * is the one for an id that never was. A method or a text without a row here fails.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChannel } from '../../../clients/typescript/connection/rpc-channel.js';
import { coordinatorOptions } from '../../../src/coordinator/config.js';
import { type RunningCoordinator, runCoordinator } from '../../../src/coordinator/run.js';
import { parseOptions } from '../../../src/options/parse-options.js';
import { signManifest } from '../../../src/protocol/federation/manifest.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';
import { openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import type { Scope } from '../../../src/server/auth/scopes.js';
import { createLogger } from '../../../src/server/observability/log.js';
import { founderKey, testManifest } from '../../support/coordinator-rig.js';
import { requestTexts } from '../../support/request-texts.js';
import { outcomeOf } from '../../support/same-answer.js';

const inside = 'is read after the federation, and names a member of it';

/** Fields that name what belongs to a federation; the others say why they do not. */
const fields: Readonly<Record<string, 'federation' | typeof inside>> = {
  ...Object.fromEntries(
    [
      ...['GetFederation', 'GetChallenge', 'NextTask', 'GetBroadcasts', 'GetVersion', 'Enlist', 'ShareKeys', 'Submit', 'Confirm'],
      ...['Unmask', 'ControlFederation', 'GetStatus'],
    ].map((method) => [`${method}.federation`, 'federation' as const]),
  ),
  'Enlist.enlistment.advertisement.participant': inside,
  'Enlist.enlistment.chainHead': inside,
  'ShareKeys.shares.from': inside,
  'ShareKeys.shares.to': inside,
  'Confirm.confirmation.participant': inside,
  'Confirm.confirmation.survivors': inside,
  'Unmask.revealed.participant': inside,
  'Unmask.revealed.maskKeyShares.owner': inside,
  'Unmask.revealed.selfMaskShares.owner': inside,
  'ControlFederation.skip.member': inside,
  'ControlFederation.order.chainHead': inside,
};
/** Methods whose requests have no text. */
const withoutText = ['CreateFederation', 'GetCoordinator'];

describe("another federation's id at a coordinator", () => {
  let dir: string;
  let running: RunningCoordinator;
  let federation: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-strangers-'));
    const any = { listen: '127.0.0.1:0', admin: '127.0.0.1:0', stateDir: dir, audit: 'none', grace: 1 };
    running = await runCoordinator(parseOptions(coordinatorOptions, any), createLogger({ level: 'silent' }));
    const coordinatorKey = Buffer.from(running.coordinator.publicKey).toString('hex');
    const { manifest } = testManifest({});
    const signed = signManifest({ ...manifest, coordinatorKey }, founderKey.privateKey);
    federation = await running.coordinator.create(signed, new Float32Array(8));
  });
  after(async () => {
    await running.close();
    await rm(dir, { recursive: true, force: true });
  });

  const as = async (tenant: string, ...scopes: Scope[]) => {
    const [ring, identity] = await Promise.all([KeyRing.open(dir), openIdentity(dir)]);
    const token = await issueToken(ring, identity, { tenant, scopes, ttlSeconds: 600 }, Date.now());
    const ca = await readFile(running.caFile!, 'utf8');
    return openChannel(loadFederationService().service, 'coordinator', {
      ...{ address: running.listen, ca, token },
      retry: { retryForMs: 0 },
    });
  };

  it('says nothing to a member of none, with any scope but admin', async () => {
    const { methods, fields: texts } = requestTexts('cutlayer/v1/federation.proto', 'cutlayer.v1.Federation');
    assert.deepEqual(Object.keys(fields).sort(), [...texts].sort());
    const rows = Object.keys(fields).filter((name) => fields[name] === 'federation');
    assert.deepEqual([...rows.map((name) => name.split('.')[0]!), ...withoutText].sort(), [...methods].sort());
    const never = 'f'.repeat(64);
    const stranger = await as('stranger', 'federate');
    for (const name of rows) {
      const method = name.split('.')[0] as 'NextTask'; // any method takes a request of its id alone
      const ask = (id: string) => outcomeOf(stranger.call(method, { federation: id }), id);
      const answer = await ask(federation);
      assert.equal(answer, await ask(never), name);
      const { code } = JSON.parse(answer);
      assert.equal(code, ['ControlFederation', 'GetStatus'].includes(method) ? 'SCOPE_MISSING' : 'NOT_FOUND', name);
    }
    stranger.close();
    const member = await as('member-000', 'federate');
    await member.call('GetFederation', { federation });
    await assert.rejects(member.call('GetFederation', { federation: never }), { code: 'NOT_FOUND' });
    member.close();
  });
});
