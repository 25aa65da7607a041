/**
 * A member's calls are bound to its key on the roster of one federation: a token alone makes none,
 * and none is made twice.
 */
import assert from 'node:assert/strict';
import { openChannel } from '../../../clients/typescript/connection/rpc-channel.js';
import { MemberProofs, type ReceivedCall } from '../../../src/coordinator/service/member-proofs.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { messageDigest, proveCall } from '../../../src/protocol/federation/member-proof.js';
import { generateIdentity, type IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';
import { PROOF_HEADER } from '../../../src/protocol/wire/proof-header.js';
import type { Principal } from '../../../src/server/auth/scopes.js';
import { connectRaw } from '../../support/raw-grpc.js';
import { keyOf, proverFor, type Script, type ScriptedCoordinator, startScriptedCoordinator } from '../../support/scripted-coordinator.js';

const [A, B] = ['ab'.repeat(32), 'cd'.repeat(32)];

const refuses = (code: ErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CutlayerError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};

describe("the proof of a member's call", () => {
  const key = generateIdentity();
  const north: Principal = { tenant: 'north', scopes: new Set(['federate']), tokenId: 'one', expiresAt: 0 };
  const message = Buffer.from('message');
  let now = 0;
  let proofs: MemberProofs;
  beforeEach(() => {
    now = 5000;
    proofs = new MemberProofs(() => now);
  });

  interface Given {
    readonly challenge?: Uint8Array;
    readonly by?: IdentityKey;
    readonly method?: string;
    readonly federation?: string;
  }
  const proven = (number = 1, given: Given = {}): Uint8Array => {
    const { challenge = proofs.challenge(A, north), by = key, method = 'Submit', federation = A } = given;
    return proveCall({ federation, method, digest: messageDigest(message) }, { challenge, number }, by.privateKey);
  };
  const accept = (proof: Uint8Array | undefined, change: Partial<ReceivedCall> = {}, federation = A) =>
    proofs.accept(federation, { method: 'Submit', principal: north, proof, message, ...change }, key.publicKey);

  it('is accepted once', async () => {
    const challenge = proofs.challenge(A, north);
    const proof = proven(1, { challenge });
    await accept(proof);
    await assert.rejects(accept(proof), refuses('PROOF_REFUSED', /got one that was used before/));
    await accept(proven(2, { challenge }));
    await assert.rejects(accept(proof), refuses('PROOF_REFUSED', /used before/));
  });

  it('may overtake others, within bounds', async () => {
    const challenge = proofs.challenge(A, north);
    for (const number of [3, 1, 2, 70, 7, 69]) await accept(proven(number, { challenge }));
    for (const number of [0, 1, 3, 6, 7, 69, 70])
      await assert.rejects(accept(proven(number, { challenge })), refuses('PROOF_REFUSED', /used/));
    await accept(proven(8, { challenge }));
    await accept(proven(1e9, { challenge }));
    await assert.rejects(accept(proven(9, { challenge })), refuses('PROOF_REFUSED', /used before/));
  });

  it('is by the key on the roster, and says what to do otherwise', async () => {
    await assert.rejects(
      accept(proven(1, { by: generateIdentity() })),
      refuses('NOT_A_MEMBER', /signed with the key that its roster has for north; pass the token and the identity of one member/),
    );
  });

  it('is for its method, message and federation', async () => {
    const other = /signed with the key that its roster has for north/;
    await assert.rejects(accept(proven(), { method: 'NextTask' }), refuses('NOT_A_MEMBER', other));
    await assert.rejects(accept(proven(), { message: Buffer.from('massage') }), refuses('NOT_A_MEMBER', other));
    await assert.rejects(accept(proven(1, { federation: B })), refuses('NOT_A_MEMBER', other));
  });

  it('is under a challenge for its federation, its member, its token and this process, while it lasts', async () => {
    const foreign = /a challenge of another process, federation, member or token; ask for a challenge/;
    await assert.rejects(accept(proven(1, { federation: B }), {}, B), refuses('PROOF_REFUSED', foreign));
    await assert.rejects(accept(proven(), { principal: { ...north, tenant: 'south' } }), refuses('PROOF_REFUSED', foreign));
    await assert.rejects(accept(proven(), { principal: { ...north, tokenId: 'two' } }), refuses('PROOF_REFUSED', foreign));
    const challenge = new MemberProofs(() => now).challenge(A, north);
    await assert.rejects(accept(proven(1, { challenge })), refuses('PROOF_REFUSED', foreign));
    const own = proofs.challenge(A, north);
    const later = Buffer.from(own);
    later.writeBigUInt64LE(6000n);
    await assert.rejects(accept(proven(1, { challenge: later })), refuses('PROOF_REFUSED', foreign));
    const issued = Number(Buffer.from(own).readBigUInt64LE());
    now = issued + 600_000;
    await accept(proven(1, { challenge: own }));
    now += 1;
    await assert.rejects(accept(proven(2, { challenge: own })), refuses('PROOF_REFUSED', /its challenge has expired/));
  });

  it('is there, and of its length', async () => {
    await assert.rejects(accept(undefined), refuses('PROOF_REFUSED', /got none; ask for a challenge \(GetChallenge\)/));
    for (const proof of [new Uint8Array(0), proven().slice(1), new Uint8Array(112).fill(255)])
      await assert.rejects(accept(proof), refuses('PROOF_REFUSED', /got other bytes/));
  });

  it('under more challenges than a member may use ends the oldest, for good', async () => {
    const challenges = Array.from({ length: 9 }, () => proofs.challenge(A, north));
    for (const challenge of challenges) await accept(proven(1, { challenge }));
    await assert.rejects(accept(proven(1, { challenge: challenges[0]! })), refuses('PROOF_REFUSED', /used before/));
    await assert.rejects(accept(proven(2, { challenge: challenges[0]! })), refuses('PROOF_REFUSED', /used before/));
    await accept(proven(2, { challenge: challenges[1]! }));
  });
});

describe('the federation service, with a member that has a token', () => {
  const script: Script = {};
  let running: ScriptedCoordinator;
  const [ofA, ofB] = [generateIdentity(), generateIdentity()];
  before(async () => {
    // Two federations have a member of the same name.
    script.memberKey = (federation, name) => (name === 'north' ? (federation === A ? ofA : ofB) : keyOf(name)).publicKey;
    script.nextTask = async () => ({ task: { kind: 'wait', reason: '' }, broadcasts: 0, remainingMs: 0 });
    script.parameters = Float32Array.of(1);
    running = await startScriptedCoordinator(script);
  });
  after(() => running.close());

  type Channel = Awaited<ReturnType<ScriptedCoordinator['as']>>;
  /** Every call of a member. */
  const calls: readonly ((channel: Channel, federation: string) => Promise<unknown>)[] = [
    (channel, federation) => channel.call('NextTask', { federation }),
    (channel, federation) => channel.call('GetBroadcasts', { federation, from: 0 }),
    (channel, federation) => channel.call('GetVersion', { federation, version: 0 }),
    (channel, federation) => channel.call('Submit', { federation, round: 1, payload: Buffer.alloc(4) }),
    (channel, federation) => channel.call('ShareKeys', { federation, round: 1, shares: [] }),
    ...(['Enlist', 'Confirm', 'Unmask'] as const).map(
      (method) => (channel: Channel, federation: string) => channel.call(method, { federation, round: 1 }),
    ),
  ];

  it('keeps members of one name in two federations apart: each is heard with its own key', async () => {
    const [a, b] = [await running.withKey(ofA, 'north'), await running.withKey(ofB, 'north')];
    for (const call of calls.slice(0, 5)) {
      await call(a, A);
      await call(b, B);
    }
    const before = running.asked.length;
    for (const call of calls) {
      await assert.rejects(call(a, B), refuses('NOT_A_MEMBER', /the key that its roster has for north/));
      await assert.rejects(call(b, A), refuses('NOT_A_MEMBER', /the key that its roster has for north/));
    }
    assert.equal(running.asked.length, before, 'nothing of it has reached the coordinator');
  });

  it("refuses a member's token with another member's key", async () => {
    const south = await running.withKey(keyOf('south'), 'north');
    for (const call of calls) await assert.rejects(call(south, A), refuses('NOT_A_MEMBER', /the key that its roster has for north/));
  });

  it('lets a member without a proof read the manifest, and nothing else', async () => {
    const north = await running.withKey(generateIdentity(), 'north');
    await north.call('GetFederation', { federation: A });
    assert.equal(running.asked.at(-1)!.what, 'manifest');
    await assert.rejects(north.call('GetBroadcasts', { federation: A }), { code: 'NOT_A_MEMBER' });
  });

  it('refuses a call that is sent a second time, and one that has no proof', async () => {
    const raw = connectRaw(running.address, { caFile: running.caFile });
    try {
      const { NextTask, GetChallenge } = loadFederationService().service;
      const token = await running.token('north');
      const message = NextTask.requestSerialize({ federation: A });
      const send = (path: string, bytes: Buffer, headers: Record<string, string> = {}) =>
        raw.send(path, bytes, { authorization: `Bearer ${token}`, 'grpc-timeout': '20S', ...headers });
      let challenge: Uint8Array = new Uint8Array(0);
      const asked = send(GetChallenge.path, GetChallenge.requestSerialize({ federation: A }));
      asked.stream.on('data', (data: Buffer) => {
        challenge = GetChallenge.responseDeserialize(data.subarray(5)).challenge;
      });
      await asked.ended;
      assert.equal(challenge.length, 40);
      const proof = proveCall(
        { federation: A, method: 'NextTask', digest: messageDigest(message) },
        { challenge, number: 1 },
        ofA.privateKey,
      );
      const headers = { [PROOF_HEADER]: Buffer.from(proof).toString('base64') };
      assert.equal((await send(NextTask.path, message, headers).ended).status, 0);
      const again = await send(NextTask.path, message, headers).ended;
      assert.deepEqual([again.status, again.code], [16, 'PROOF_REFUSED']);
      assert.equal((await send(NextTask.path, message).ended).code, 'PROOF_REFUSED');
    } finally {
      raw.close();
    }
  });

  it('hears a client whose token was renewed: the proof is made for the new one', async () => {
    const tokens = [await running.token('north', Date.now() - 3_600_000), await running.token('north'), await running.token('north')];
    const prover = proverFor(ofA, async (federation) => (await channel.call('GetChallenge', { federation })).challenge);
    const channel = await openChannel(loadFederationService().service, 'coordinator', {
      ...{ address: running.address, ca: running.ca, prover, retry: { retryForMs: 0 } },
      tokenProvider: async () => tokens.shift()!,
    });
    try {
      await channel.call('GetBroadcasts', { federation: A });
      assert.equal(tokens.length, 1);
    } finally {
      channel.close();
    }
  });

  it('gives a client a new challenge when its own has expired, without a word to its caller', async () => {
    const north = await running.withKey(ofA, 'north');
    await north.call('GetBroadcasts', { federation: A });
    running.later(600_001);
    await north.call('GetBroadcasts', { federation: A });
    const south = await running.as('south', 'federate');
    await Promise.all(Array.from({ length: 4 }, () => south.call('GetBroadcasts', { federation: A })));
  });
});
