/**
 * A cohort and an honest coordinator in one process. Each stage runs for the given names, with all
 * checks of a coordinator. All randomness is seeded.
 */
import { createHash } from 'node:crypto';
import type { RandomBytes } from '../../src/privacy/random.js';
import { SecAggClient } from '../../src/protocol/secagg/client.js';
import { Cohort } from '../../src/protocol/secagg/cohort.js';
import type { Advertisement, Confirmation, RevealedShares, SealedShares } from '../../src/protocol/secagg/messages.js';
import { addInto, ringMask } from '../../src/protocol/secagg/ring.js';
import { inboxOf, requireStage, type Unmasked, unmaskSum, verifySealed } from '../../src/protocol/secagg/server.js';
import { defaultGraph, type Pins, type SecAggRound } from '../../src/protocol/secagg/settings.js';
import { generateIdentity, type IdentityKey } from '../../src/protocol/secagg/signature.js';
import { seededBytes } from '../../src/protocol/secagg/stream.js';
import { verifyAdvertisement, verifyConfirmation, verifyMasked, verifyRevealed } from '../../src/protocol/secagg/verification.js';

/** Random bytes that are the same for the same seed. */
export function seededRandom(seed: number | string): RandomBytes {
  return seededBytes(createHash('sha256').update(`test ${seed}`).digest());
}

/** A round's settings with room for the tests' cohorts. */
export function roundOf(overrides: Partial<SecAggRound> = {}): SecAggRound {
  const federation = 'ab'.repeat(32);
  return {
    federation,
    round: 3,
    bits: 32,
    length: 4,
    threshold: 2 / 3,
    minSurvivors: 3,
    minCohort: 3,
    maxCohort: 300,
    graph: defaultGraph,
    ...overrides,
  };
}

/** Floors that no test's round is under. */
export const lowPins: Pins = { minCohort: 2, minThreshold: 2, minSurvivors: 3, lastRound: 0 };

/** 32 bytes that stand for what the caller binds. */
export const context = new Uint8Array(32).fill(7);

/** One participant. */
export interface Site {
  readonly name: string;
  readonly identity: IdentityKey;
  readonly client: SecAggClient;
  /** Its vector. */
  readonly ring: Uint32Array;
}

/** The messages of one round as the coordinator has them. */
export class Table {
  readonly round: SecAggRound;
  readonly sites: ReadonlyMap<string, Site>;
  readonly roster: ReadonlyMap<string, Uint8Array>;
  readonly names: readonly string[];
  readonly advertisements: readonly Advertisement[];
  readonly cohort: Cohort;
  sealed: SealedShares[] = [];
  sharers: readonly string[] = [];
  survivors: readonly string[] = [];
  readonly masked = new Map<string, Uint32Array>();
  readonly sum: Uint32Array;
  confirmations: Confirmation[] = [];
  revealed: RevealedShares[] = [];

  constructor(n: number, overrides: Partial<SecAggRound> = {}, seed: number | string = 1, pins: Pins = lowPins) {
    const random = seededRandom(seed);
    this.round = roundOf(overrides);
    this.names = Array.from({ length: n }, (_, i) => `site-${String(i).padStart(3, '0')}`);
    const sites = this.names.map((name): Site => {
      const identity = generateIdentity(random);
      const client = SecAggClient.begin(this.round, pins, name, identity, random);
      return { name, identity, client, ring: randomRing(this.round.length, this.round.bits, random) };
    });
    this.sites = new Map(sites.map((site) => [site.name, site]));
    this.roster = new Map(sites.map(({ name, identity }) => [name, identity.publicKey]));
    this.advertisements = sites.map(({ client }) => client.advertise(context));
    for (const advertisement of this.advertisements)
      verifyAdvertisement(this.round, advertisement, this.roster.get(advertisement.participant)!);
    this.cohort = Cohort.form(this.round, this.advertisements);
    this.sum = new Uint32Array(this.round.length);
  }

  /** A participant by its place. */
  site(place: number): Site {
    return this.sites.get(this.names[place]!)!;
  }

  share(names: readonly string[] = this.names): this {
    for (const name of names) {
      const sealed = this.sites.get(name)!.client.shareKeys(this.advertisements, this.roster);
      verifySealed(this.cohort, name, sealed);
      this.sealed.push(...sealed);
    }
    this.sharers = names;
    requireStage(this.cohort, 'sharing', names);
    return this;
  }

  inbox(name: string): SealedShares[] {
    return inboxOf(this.cohort, name, this.sharers, this.sealed);
  }

  submit(names: readonly string[] = this.sharers): this {
    for (const name of names) {
      const { client, ring } = this.sites.get(name)!;
      const masked = client.mask(this.inbox(name), ring);
      verifyMasked(this.round, name, masked);
      this.masked.set(name, masked);
      addInto(this.sum, masked, this.round.bits);
    }
    this.survivors = names;
    requireStage(this.cohort, 'submitting', names, this.sharers);
    return this;
  }

  confirm(names: readonly string[] = this.survivors): this {
    for (const name of names) {
      const confirmation = this.sites.get(name)!.client.confirm(this.survivors);
      verifyConfirmation(this.cohort, this.survivors, confirmation, this.roster.get(name)!);
      this.confirmations.push(confirmation);
    }
    requireStage(this.cohort, 'confirming', names, this.sharers, this.survivors);
    return this;
  }

  reveal(names: readonly string[] = this.confirmations.map(({ participant }) => participant)): this {
    for (const name of names) {
      const revealed = this.sites.get(name)!.client.unmask(this.confirmations);
      verifyRevealed(this.cohort, this.sharers, this.survivors, revealed, this.roster.get(name)!);
      this.revealed.push(revealed);
    }
    requireStage(this.cohort, 'unmasking', names, this.sharers, this.survivors);
    return this;
  }

  unmask(): Promise<Unmasked> {
    const { cohort, sharers, survivors, revealed } = this;
    return unmaskSum(this.sum, { cohort, sharers, survivors, revealed });
  }

  /** The sum of some participants' vectors, without any of the protocol. */
  plainSum(names: readonly string[]): Uint32Array {
    const sum = Array.from({ length: this.round.length }, () => 0n);
    for (const name of names) for (const [i, value] of this.sites.get(name)!.ring.entries()) sum[i]! += BigInt(value);
    return Uint32Array.from(sum, (value) => Number(value & BigInt(ringMask(this.round.bits))));
  }
}

/** Uniform ring elements. */
export function randomRing(length: number, bits: number, random: RandomBytes): Uint32Array {
  const bytes = Uint8Array.from(random(4 * length));
  return new Uint32Array(bytes.buffer).map((value) => (value & ringMask(bits)) >>> 0);
}
