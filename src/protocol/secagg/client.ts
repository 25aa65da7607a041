/**
 * A participant's side of secure aggregation: Bonawitz et al., "Practical Secure Aggregation for
 * Privacy-Preserving Machine Learning", CCS 2017, fig. 4 with the additions against a malicious
 * server, on the neighbour graph of Bell et al., "Secure Single-Server Aggregation with
 * (Poly)Logarithmic Overhead", CCS 2020.
 *
 * 1. advertise: two X25519 keys and a commitment to the self-mask, signed by the participant's
 *    identity for this federation and round.
 * 2. shareKeys: given all advertisements, Shamir shares of the mask key and of the self-mask's
 *    secret, one pair for each neighbour, sealed for it alone.
 * 3. mask: given the neighbours' sealed shares,
 *    `y = x + PRG(self) + Σ_{v > u} PRG(pair uv) − Σ_{v < u} PRG(pair uv) mod 2^bits`, over the
 *    neighbours v that shared.
 * 4. confirm: given the list of those whose y arrived, a signature under that list.
 * 5. unmask: given `threshold` signatures under the same list, ONE share of each owner whose shares
 *    it holds. For a survivor it is the self-mask's share, for any other owner the mask key's.
 *    These take the masks off the sum, and off nothing else.
 *
 * The coordinator is not trusted. A client answers each stage once: the same input gets the same
 * bytes again, another input is refused. A client that has refused answers nothing more in the
 * round. Each list of survivors needs `threshold` signatures, and an honest client signs one list.
 * A coordinator with nC colluders therefore cannot complete two lists while 2 · threshold > n + nC.
 * With one list, `holderThreshold` colluding neighbours are needed to open both secrets of an
 * honest participant. Not hidden: the names of the participants, the sum, and all that follows from
 * it.
 */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../errors.js';
import { cryptoRandom, type RandomBytes } from '../../privacy/random.js';
import { Agreements } from './agreements.js';
import { requireConfirmed, requireEnough, requireFloors, requireMembers, requireOwn, requireSurvivors, sameInbox } from './client-rules.js';
import { type ClientMemory, decodeState, encodeState, type SecAggState } from './client-state.js';
import { Cohort, refused } from './cohort.js';
import { type HeldShares, openInbox, sealDealt } from './dealing.js';
import { pairMaskSeed, selfMaskCommitment, selfMaskSeed } from './key-schedule.js';
import { applyMask } from './mask.js';
import {
  type Advertisement,
  type Confirmation,
  confirmationTranscript,
  type RevealedShares,
  requireContext,
  revealedTranscript,
  type SealedShares,
  type Share,
  signAdvertisement,
} from './messages.js';
import { rawPublicKey } from './raw-keys.js';
import { requireRing } from './ring.js';
import { checkRound, type Pins, type SecAggRound } from './settings.js';
import { type IdentityKey, sign, type Verify } from './signature.js';
import { SEED_BYTES } from './stream.js';
import { sameBytes, transcriptDigest } from './transcript.js';
import { divide, ownersHeldBy, sameNames } from './verification.js';

/**
 * One participant in one round. Save {@link SecAggClient.toState} before an answer leaves the
 * process, so that a restart cannot answer differently.
 */
export class SecAggClient {
  readonly #memory: ClientMemory;
  readonly #identity: IdentityKey;
  readonly #check: Verify | undefined;
  readonly #sealing: Agreements;
  #cohort: Cohort | undefined;
  /** What the inbox that was masked with has opened to. */
  #held: ReadonlyMap<string, HeldShares> | undefined;

  private constructor(memory: ClientMemory, identity: IdentityKey, check?: Verify) {
    this.#memory = memory;
    this.#identity = identity;
    this.#check = check;
    this.#sealing = new Agreements(memory.secrets.encryptionKey);
    if (memory.cohort !== undefined) this.#cohort = Cohort.form(memory.round, memory.cohort);
  }

  /**
   * Draws the secrets of a round.
   * @param pins the participant's own floors
   * @param check of signatures; default: each is checked each time
   * @throws CutlayerError SECAGG_REFUSED for a round that is not above every earlier one, or whose
   *   threshold is not above half; INVALID_CONFIG
   */
  static begin(
    round: SecAggRound,
    pins: Pins,
    participant: string,
    identity: IdentityKey,
    random: RandomBytes = cryptoRandom,
    check?: Verify,
  ): SecAggClient {
    if (!(round.threshold > 0.5)) throw refused(`threshold: a part of ${round.threshold} of the cohort is not more than half`);
    checkRound(round);
    if (round.round <= pins.lastRound) throw refused(`round ${round.round}: round ${pins.lastRound} has already begun`);
    const draw = () => Uint8Array.from(random(SEED_BYTES));
    const secrets = { encryptionKey: draw(), maskKey: draw(), selfMask: draw(), polynomials: draw() };
    return new SecAggClient({ round, pins, participant, identityKey: identity.publicKey, secrets }, identity, check);
  }

  /**
   * Goes on from a saved state.
   * @param check as in {@link SecAggClient.begin}
   * @throws CutlayerError INVALID_CONFIG when it is none, or another identity's
   */
  static fromState(state: unknown, identity: IdentityKey, check?: Verify): SecAggClient {
    const memory = decodeState(state);
    checkRound(memory.round);
    if (!sameBytes(memory.identityKey, identity.publicKey))
      throw new CutlayerError('INVALID_CONFIG', 'state of a secure-aggregation round: it belongs to another identity');
    return new SecAggClient(memory, identity, check);
  }

  /** What {@link SecAggClient.fromState} reads; holds the round's secrets. */
  toState(): SecAggState {
    return encodeState(this.#memory);
  }

  /** Why this client answers no more in this round; undefined while it does. */
  get refusal(): string | undefined {
    return this.#memory.refusal;
  }

  /**
   * Stage 1.
   * @param context 32 bytes that the signature binds
   * @throws CutlayerError SECAGG_REFUSED when asked with another context before
   */
  advertise(context: Uint8Array): Advertisement {
    requireContext(context);
    return this.#answer(() => {
      const memory = this.#memory;
      if (memory.context !== undefined && !sameBytes(memory.context, context)) throw refused('advertise: asked again with another context');
      memory.context = Uint8Array.from(context);
      return this.#advertisement(memory.context);
    });
  }

  /**
   * Stage 2. The others' contexts are the caller's to check, before.
   * @param cohort every advertisement, its own included, in any order
   * @param roster the federation's members and their identity keys
   * @throws CutlayerError SECAGG_REFUSED
   */
  shareKeys(cohort: readonly Advertisement[], roster: ReadonlyMap<string, Uint8Array>): SealedShares[] {
    return this.#answer(() => {
      const memory = this.#memory;
      if (memory.context === undefined) throw refused('shareKeys: nothing was advertised');
      const formed = Cohort.form(memory.round, cohort);
      if (this.#cohort !== undefined && !sameBytes(this.#cohort.digest, formed.digest))
        throw refused('shareKeys: asked again with another cohort');
      const members = requireMembers(memory.round, formed, roster, this.#check);
      requireOwn(formed, this.#advertisement(memory.context));
      requireFloors(formed, memory.pins);
      const sealed = sealDealt(formed, memory.participant, memory.secrets, this.#sealing);
      memory.cohort = members;
      this.#cohort = formed;
      return sealed;
    });
  }

  /**
   * Stage 3.
   * @param inbox the neighbours' sealed shares
   * @param ring the vector: [length], elements below 2^bits
   * @returns the masked vector, a new array
   * @throws CutlayerError SECAGG_REFUSED; INVALID_SHAPE or INVALID_ARGUMENT for a vector outside
   *   the ring, which ends nothing
   */
  mask(inbox: readonly SealedShares[], ring: Uint32Array): Uint32Array {
    const { round, participant, secrets } = this.#memory;
    requireRing('mask', ring, round.length, round.bits);
    return this.#answer(() => {
      const memory = this.#memory;
      const cohort = this.#requireCohort('mask');
      const sorted = inbox.toSorted((a, b) => (a.from < b.from ? -1 : 1));
      const inputDigest = new Uint8Array(
        createHash('sha256')
          .update(new Uint8Array(ring.buffer, ring.byteOffset, ring.byteLength))
          .digest(),
      );
      if (memory.masking !== undefined) {
        if (!sameInbox(memory.masking.inbox, sorted)) throw refused('mask: asked again with another inbox');
        if (!sameBytes(memory.masking.inputDigest, inputDigest)) throw refused('mask: asked again with another vector');
      }
      const held = openInbox(cohort, participant, secrets, sorted, this.#sealing);
      if (held.size < cohort.holderThreshold) throw refused(`inbox: ${held.size} of the ${cohort.holderThreshold} shares that are needed`);
      const masked = Uint32Array.from(ring);
      applyMask(masked, selfMaskSeed(cohort, secrets.selfMask, participant), round.bits, 'add');
      const pairs = new Agreements(secrets.maskKey);
      for (const { from } of sorted) {
        const seed = pairMaskSeed(cohort, pairs.with(from, cohort.advertisementOf(from).maskKey), participant, from);
        applyMask(masked, seed, round.bits, participant < from ? 'add' : 'subtract');
      }
      memory.masking = { inbox: sorted, inputDigest };
      this.#held = held;
      return masked;
    });
  }

  /** Stage 4. @param survivors of the masked sum, sorted @throws CutlayerError SECAGG_REFUSED */
  confirm(survivors: readonly string[]): Confirmation {
    return this.#answer(() => {
      const memory = this.#memory;
      const cohort = this.#requireCohort('confirm');
      const { masking, participant } = memory;
      if (masking === undefined) throw refused('confirm: nothing was masked');
      if (memory.survivors !== undefined && !sameNames(memory.survivors, survivors))
        throw refused('confirm: asked again with another list of survivors');
      requireSurvivors(
        cohort,
        { participant, floor: memory.pins.minSurvivors },
        [participant, ...masking.inbox.map(({ from }) => from)],
        survivors,
      );
      memory.survivors = [...survivors];
      const signature = sign(this.#identity.privateKey, confirmationTranscript(memory.round, cohort.digest, participant, survivors));
      return { participant, survivors: memory.survivors, signature };
    });
  }

  /** Stage 5. @param confirmations of the confirmed list @throws CutlayerError SECAGG_REFUSED */
  unmask(confirmations: readonly Confirmation[]): RevealedShares {
    return this.#answer(() => {
      const memory = this.#memory;
      const cohort = this.#requireCohort('unmask');
      const { masking, survivors, participant } = memory;
      if (masking === undefined || survivors === undefined) throw refused('unmask: no list of survivors was confirmed');
      const confirmationsDigest = digestOf(confirmations);
      if (memory.confirmationsDigest !== undefined && !sameBytes(memory.confirmationsDigest, confirmationsDigest))
        throw refused('unmask: asked a second time');
      requireEnough(cohort, memory.pins.minSurvivors, survivors);
      requireConfirmed(cohort, memory.cohort ?? [], survivors, confirmations, this.#check);
      const held = this.#held ?? openInbox(cohort, participant, memory.secrets, masking.inbox, this.#sealing);
      const [alive, gone] = divide(ownersHeldBy(cohort, participant, [...held.keys()]), survivors);
      const shares = (owners: readonly string[], kind: 'maskKey' | 'selfMask'): Share[] =>
        owners.map((owner) => ({ owner, share: held.get(owner)![kind] }));
      const revealed = { participant, maskKeyShares: shares(gone, 'maskKey'), selfMaskShares: shares(alive, 'selfMask') };
      memory.confirmationsDigest = confirmationsDigest;
      return { ...revealed, signature: sign(this.#identity.privateKey, revealedTranscript(memory.round, cohort.digest, revealed)) };
    });
  }

  /** Runs a stage; a refusal is remembered and is the answer to everything after it. */
  #answer<T>(stage: () => T): T {
    if (this.#memory.refusal !== undefined) throw new CutlayerError('SECAGG_REFUSED', this.#memory.refusal);
    try {
      return stage();
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.code === 'SECAGG_REFUSED') this.#memory.refusal = error.message;
      throw error;
    }
  }

  #advertisement(context: Uint8Array): Advertisement {
    const { round, participant, secrets } = this.#memory;
    return signAdvertisement(round, this.#identity, {
      participant,
      encryptionKey: rawPublicKey('X25519', secrets.encryptionKey),
      maskKey: rawPublicKey('X25519', secrets.maskKey),
      selfMaskCommitment: selfMaskCommitment(round, participant, secrets.selfMask),
      context,
    });
  }

  #requireCohort(stage: string): Cohort {
    if (this.#cohort === undefined) throw refused(`${stage}: no keys were shared`);
    return this.#cohort;
  }
}

function digestOf(confirmations: readonly Confirmation[]): Uint8Array {
  const sorted = confirmations.toSorted((a, b) => (a.participant < b.participant ? -1 : 1));
  const fields = sorted.flatMap(({ participant, signature }) => [participant, signature]);
  return transcriptDigest('cutlayer secagg confirmations v1', sorted.length, ...fields);
}
