import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import {
  type BroadcastContent,
  type ChainHead,
  openBroadcast,
  type SignedBroadcast,
  signBroadcast,
} from '../../../src/protocol/federation/chain.js';
import { enlistmentContext, hasTerms } from '../../../src/protocol/federation/enlistment.js';
import { generateIdentity } from '../../../src/protocol/secagg/signature.js';

const federation = 'cd'.repeat(32);
const coordinator = generateIdentity();
const digest = 'ab'.repeat(32);
const begin: BroadcastContent = { kind: 'begin', version: 0, digest };
const aggregate = (version: number): BroadcastContent => ({
  kind: 'aggregate',
  round: version,
  version,
  parent: version - 1,
  digest,
  participants: ['east', 'north', 'south'],
  weight: 3,
  clipNorm: null,
  privacy: null,
});

function chainOf(contents: readonly BroadcastContent[]): SignedBroadcast[] {
  let head: ChainHead | null = null;
  return contents.map((content, at) => {
    const next = signBroadcast(federation, head, content, 1000 + at, coordinator.privateKey);
    head = next.head;
    return next.signed;
  });
}

const open = (signed: SignedBroadcast, head: ChainHead | null) =>
  openBroadcast(signed, { federation, coordinatorKey: coordinator.publicKey, head });
const rejected = (message: RegExp) => (error: unknown) =>
  error instanceof CutlayerError && error.code === 'BROADCAST_REJECTED' && message.test(error.message);

describe('broadcast chain', () => {
  const broadcasts = chainOf([begin, aggregate(1), aggregate(2)]);

  it('is followed broadcast by broadcast', () => {
    let head: ChainHead | null = null;
    for (const [seq, broadcast] of broadcasts.entries()) {
      const next = open(broadcast, head);
      assert.equal(next.broadcast.seq, seq);
      head = next.head;
    }
  });

  it('refuses a broadcast left out, one of another story, and one of another signer', () => {
    const { head } = open(broadcasts[0]!, null);
    assert.throws(() => open(broadcasts[2]!, head), rejected(/expected number 1, got 2/));
    const [, other] = chainOf([{ ...begin, digest: 'ef'.repeat(32) }, aggregate(1)]);
    assert.throws(() => open(other!, head), rejected(/another story/));
    const forged = signBroadcast(federation, head, aggregate(1), 5, generateIdentity().privateKey);
    assert.throws(() => open(forged.signed, head), rejected(/signature/));
  });

  it('refuses a broadcast of another federation', () => {
    const { signed } = signBroadcast('ee'.repeat(32), null, begin, 5, coordinator.privateKey);
    assert.throws(() => open(signed, null), rejected(/another federation/));
  });

  it('refuses what is signed but no broadcast', () => {
    assert.throws(() => signBroadcast(federation, null, { ...begin, extra: 1 } as BroadcastContent, 5, coordinator.privateKey));
  });
});

describe('enlistment', () => {
  const terms = { purpose: 'train', chainHead: digest, examples: 12 } as const;

  it('binds purpose, chain head and example count', () => {
    const empty = new Uint8Array();
    const advertisement = {
      participant: 'east',
      encryptionKey: empty,
      maskKey: empty,
      selfMaskCommitment: empty,
      context: enlistmentContext(terms),
      signature: empty,
    };
    assert.ok(hasTerms({ ...terms, advertisement }));
    assert.ok(!hasTerms({ ...terms, purpose: 'evaluate', advertisement }));
    assert.ok(!hasTerms({ ...terms, examples: 13, advertisement }));
    assert.ok(!hasTerms({ ...terms, chainHead: federation, advertisement }));
  });
});
