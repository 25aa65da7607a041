/** A coordinator that makes a member crash and asks again, otherwise: the member's state remembers what it has said, and it says nothing else. */
import assert from 'node:assert/strict';
import { MemberRound } from '../../../clients/typescript/federation/member-round.js';
import { MemberStore, type WriteHook } from '../../../clients/typescript/federation/member-store.js';
import type { RoundPayload } from '../../../clients/typescript/federation/round-payload.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type Enlistment, enlistmentContext } from '../../../src/protocol/federation/enlistment.js';
import { payloadLength } from '../../../src/protocol/federation/payload.js';
import { secAggRoundOf } from '../../../src/protocol/federation/round-mechanism.js';
import { SecAggClient } from '../../../src/protocol/secagg/client.js';
import type { Confirmation, SealedShares } from '../../../src/protocol/secagg/messages.js';
import { identityFromSeed } from '../../../src/protocol/secagg/signature.js';
import { seededBytes } from '../../../src/protocol/secagg/stream.js';
import { testManifest } from '../../support/coordinator-rig.js';

const open = testManifest({ evaluation: {} }, 4);
const names = open.manifest.members.map(({ name }) => name);
const roster = new Map(open.manifest.members.map(({ name, publicKey }) => [name, new Uint8Array(Buffer.from(publicKey, 'hex'))]));
const identity = (at: number) => identityFromSeed(new Uint8Array(32).fill(at + 1));
const chainHead = 'ab'.repeat(32);
const terms = { purpose: 'train', chainHead, examples: 1 } as const;
const entry = { round: 1, purpose: 'train', version: 0, promoted: 0, clipNorm: null, chainHead, examples: 1 } as const;
const pins = { minCohort: 3, minThreshold: 2, minSurvivors: 3, lastRound: 0 };
const length = payloadLength(open.manifest, 'train');

/** Everything that has left the member, as it left. */
class Wire {
  readonly enlistments: Enlistment[] = [];
  readonly shares: (readonly SealedShares[])[] = [];
  readonly payloads: Uint8Array[] = [];
  readonly said: unknown[] = [];
  readonly api = {
    enlist: async (_: number, enlistment: Enlistment) => void this.enlistments.push(enlistment),
    shareKeys: async (_: number, shares: readonly SealedShares[]) => void this.shares.push(shares),
    submit: async (_: number, payload: Uint8Array) => void this.payloads.push(payload.slice()),
    confirm: async (_: number, confirmation: unknown) => void this.said.push(confirmation),
    unmask: async (_: number, revealed: unknown) => void this.said.push(revealed),
  };
}

class Victim {
  /** Where the next start dies. */
  killAt: WriteHook = () => undefined;
  readonly state = MemberStore.memory({ onWrite: (moment, statement) => this.killAt(moment, statement) });
  readonly wire = new Wire();
  round!: MemberRound;
  #starts = 0;

  /** Starts it, or starts it again after a kill. Each time it draws other randomness, as a process does. */
  async start(): Promise<this> {
    this.#starts += 1;
    const pin = { open, member: names[0]!, floors: { minCohort: 3, minThreshold: 2, minSurvivors: 3, minDifference: 0 } };
    const random = seededBytes(new Uint8Array(32).fill(100 + this.#starts));
    this.round = MemberRound.open({ state: this.state, pin, identity: identity(0), random, api: this.wire.api });
    return this;
  }

  /** An update that is another one at every start: training again does not come to the same bits. */
  async submit(inbox: readonly SealedShares[]) {
    const task = { kind: 'submit', round: 1, cohort: [], inbox } as const;
    const prepared = this.round.prepare(task, () => true);
    if (prepared.kind === 'wanted') {
      const payload: RoundPayload = { kind: 'ring', ring: new Uint32Array(length).fill(1000 * this.#starts) };
      this.round.commit(1, prepared.cohort, await this.round.seal(task, payload));
    }
    await this.round.submit(1);
    return prepared.kind;
  }
}

const refuses = (work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> =>
  assert.rejects(work, (error) => error instanceof CutlayerError && error.code === code && message.test(error.message));

const sealedTo = (shares: readonly (readonly SealedShares[])[]): SealedShares[] =>
  shares.flatMap((list) => list.filter(({ to }) => to === names[0]));

describe('a member that is killed and asked again, otherwise', () => {
  let victim: Victim;
  let others: SecAggClient[];
  let cohort: Enlistment[];
  let inbox: SealedShares[];

  const member = (at: number, seed: number) => {
    const client = SecAggClient.begin(
      secAggRoundOf(open, 1, 'train'),
      pins,
      names[at]!,
      identity(at),
      seededBytes(new Uint8Array(32).fill(seed)),
    );
    return { client, enlistment: { ...terms, advertisement: client.advertise(enlistmentContext(terms)) } };
  };

  beforeEach(async () => {
    victim = await new Victim().start();
    await victim.round.enlist(entry);
    const made = [1, 2, 3].map((at) => member(at, at));
    others = made.map(({ client }) => client);
    cohort = [victim.wire.enlistments[0]!, ...made.map(({ enlistment }) => enlistment)];
    const advertisements = cohort.map(({ advertisement }) => advertisement);
    inbox = sealedTo(others.map((client) => client.shareKeys(advertisements, roster)));
  });

  const share = () => victim.round.shareKeys({ kind: 'shareKeys', round: 1, cohort }, () => true);

  it('enlists with the same keys, and for the same purpose only', async () => {
    await victim.start();
    await victim.round.enlist(entry);
    assert.deepEqual(victim.wire.enlistments[1], victim.wire.enlistments[0]);
    await refuses(victim.round.enlist({ ...entry, purpose: 'evaluate', version: 1 }), 'ROUND_REFUSED', /enlisted to train version 0/);
    await refuses(victim.round.enlist({ ...entry, version: 3 }), 'ROUND_REFUSED', /asked to train version 3/);
  });

  it('shares its keys with one cohort', async () => {
    await share();
    await (await victim.start()).round.shareKeys({ kind: 'shareKeys', round: 1, cohort }, () => true);
    assert.deepEqual(victim.wire.shares[1], victim.wire.shares[0]);
    const other = [...cohort.slice(0, 3), member(3, 77).enlistment];
    await refuses(
      (await victim.start()).round.shareKeys({ kind: 'shareKeys', round: 1, cohort: other }, () => true),
      'SECAGG_REFUSED',
      /asked again with another cohort/,
    );
    assert.equal(victim.wire.shares.length, 2);
  });

  it('has one update under its masks, although training again gives another', async () => {
    await share();
    await victim.start();
    await victim.submit(inbox);
    await victim.start();
    const again = await victim.submit(inbox);
    await victim.start();
    await victim.submit(inbox.slice(1)); // another inbox would be other masks: not looked at
    assert.equal(again, 'committed');
    assert.equal(victim.wire.payloads.length, 3);
    for (const payload of victim.wire.payloads) assert.deepEqual(payload, victim.wire.payloads[0]);
  });

  it('sends nothing of an update that it had masked and not written down', async () => {
    await share();
    const killed = new Error('killed');
    for (const write of [/INSERT INTO blob_parts/, /INSERT INTO blobs/, /INSERT OR REPLACE INTO round/, /COMMIT/]) {
      victim.killAt = (moment, statement) => {
        if (moment === 'before' && write.test(statement)) throw killed;
      };
      await assert.rejects(victim.submit(inbox), killed);
      // Nor when the same process is asked again.
      await assert.rejects(victim.submit(inbox));
      assert.equal(victim.wire.payloads.length, 0, String(write));
      victim.killAt = () => undefined;
      await victim.start();
    }
    await victim.submit(inbox);
    await victim.start();
    await victim.submit(inbox);
    assert.equal(victim.wire.payloads.length, 2);
    assert.deepEqual(victim.wire.payloads[1], victim.wire.payloads[0]);
  });

  it('submits nothing that it has sealed and not committed to', async () => {
    await share();
    await victim.round.seal({ kind: 'submit', round: 1, cohort: [], inbox }, { kind: 'ring', ring: new Uint32Array(length) });
    await refuses(victim.round.submit(1), 'ROUND_REFUSED', /not what was submitted first/);
    assert.equal(victim.wire.payloads.length, 0);
  });

  it('confirms one list of survivors, and reveals one kind of share of each', async () => {
    await share();
    const ring = new Uint32Array(length).fill(7);
    const mine = victim.wire.shares[0]!;
    await victim.submit(inbox);
    const survivors = names.slice(0, 3);
    await victim.start();
    const unreleased = (): undefined => undefined;
    await victim.round.confirm({ kind: 'confirm', round: 1, survivors }, unreleased);
    const again = (await victim.start()).round.confirm({ kind: 'confirm', round: 1, survivors: names }, unreleased);
    await refuses(again, 'SECAGG_REFUSED', /another list/);
    const advertisements = cohort.map(({ advertisement }) => advertisement);
    const confirmations = others.slice(0, 2).map((client, at) => {
      const name = names[at + 1]!;
      const sent = [mine, ...others.map((each) => each.shareKeys(advertisements, roster))].flat().filter(({ to }) => to === name);
      client.mask(sent, ring);
      return client.confirm(survivors);
    });
    const all = [victim.wire.said[0] as Confirmation, ...confirmations];
    await (await victim.start()).round.unmask({ kind: 'unmask', round: 1, confirmations: all });
    await refuses(
      (await victim.start()).round.unmask({ kind: 'unmask', round: 1, confirmations: all.slice(1) }),
      'SECAGG_REFUSED',
      /second time|threshold/,
    );
    const revealed = victim.wire.said[1] as { maskKeyShares: { owner: string }[]; selfMaskShares: { owner: string }[] };
    const owners = [...revealed.maskKeyShares, ...revealed.selfMaskShares].map(({ owner }) => owner).sort();
    assert.deepEqual(owners, names);
    assert.deepEqual(
      revealed.maskKeyShares.map(({ owner }) => owner),
      names.slice(3),
    );
    assert.equal(victim.wire.said.length, 2);
  });

  it('never begins the round again once it has left it', async () => {
    victim.round.leave(1, { keepTraining: false });
    await victim.start();
    await refuses(victim.round.enlist(entry), 'ROUND_REFUSED', /would be a replay/);
    await refuses(share(), 'ROUND_REFUSED', /has left it/);
    await refuses(victim.submit(inbox), 'ROUND_REFUSED', /has left it/);
  });
});
