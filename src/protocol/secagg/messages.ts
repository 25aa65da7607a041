/** The protocol's messages, and what each signature covers. Names are those on the roster. */
import { CutlayerError } from '../../errors.js';
import type { SecAggRound } from './settings.js';
import { type IdentityKey, sign, type Verify, verify } from './signature.js';
import { transcript } from './transcript.js';

/**
 * Stage 1: a participant's keys for one round, signed by its identity. `context` is 32 bytes that
 * the caller binds (a digest of chain head, purpose, example count). In a round without secure
 * aggregation the three key fields are empty and only the signature matters.
 */
export interface Advertisement {
  readonly participant: string;
  /** X25519, for the encryption of shares: 32 bytes. */
  readonly encryptionKey: Uint8Array;
  /** X25519, for the pairwise masks: 32 bytes. */
  readonly maskKey: Uint8Array;
  /** sha256 that fixes the seed of the self-mask: 32 bytes. */
  readonly selfMaskCommitment: Uint8Array;
  readonly context: Uint8Array;
  readonly signature: Uint8Array;
}

/** Stage 2: two shares for one neighbour, sealed for it: 64 bytes and a tag of 16. */
export interface SealedShares {
  readonly from: string;
  readonly to: string;
  readonly ciphertext: Uint8Array;
}

/** Stage 4: a signature under the one list of survivors that the participant reveals shares for. */
export interface Confirmation {
  readonly participant: string;
  /**
   * Sorted, without repetition. May be empty on its way to the other participants, which know the
   * list: the signature covers it all the same.
   */
  readonly survivors: readonly string[];
  readonly signature: Uint8Array;
}

/** A share of one owner's secret, 32 bytes; x is the holder's place among the owner's holders. */
export interface Share {
  readonly owner: string;
  readonly share: Uint8Array;
}

/** Stage 5: of each owner the mask key's share (dropped out) or the self-mask's (survived). */
export interface RevealedShares {
  readonly participant: string;
  readonly maskKeyShares: readonly Share[];
  readonly selfMaskShares: readonly Share[];
  readonly signature: Uint8Array;
}

/** The round that a signature is bound to. */
export type RoundName = Pick<SecAggRound, 'federation' | 'round'>;

/** Signs an advertisement. */
export function signAdvertisement(round: RoundName, identity: IdentityKey, fields: Omit<Advertisement, 'signature'>): Advertisement {
  return { ...fields, signature: sign(identity.privateKey, advertisementTranscript(round, fields)) };
}

/** Whether `identityKey` signed it for this federation and round; says nothing about its keys. */
export function isAdvertisementSigned(
  round: RoundName,
  advertisement: Advertisement,
  identityKey: Uint8Array,
  check: Verify = verify,
): boolean {
  return check(identityKey, advertisementTranscript(round, advertisement), advertisement.signature);
}

/** An advertisement for a round without secure aggregation: no keys, only the signed context. */
export function signPlainAdvertisement(round: RoundName, identity: IdentityKey, participant: string, context: Uint8Array): Advertisement {
  const empty = new Uint8Array(0);
  return signAdvertisement(round, identity, { participant, encryptionKey: empty, maskKey: empty, selfMaskCommitment: empty, context });
}

/** What a confirmation's signature covers. @param cohortDigest of all signed advertisements */
export function confirmationTranscript(
  round: RoundName,
  cohortDigest: Uint8Array,
  participant: string,
  survivors: readonly string[],
): Uint8Array {
  return transcript(
    'cutlayer secagg confirmation v1',
    round.federation,
    round.round,
    cohortDigest,
    participant,
    survivors.length,
    ...survivors,
  );
}

/** What the signature on revealed shares covers. */
export function revealedTranscript(round: RoundName, cohortDigest: Uint8Array, revealed: Omit<RevealedShares, 'signature'>): Uint8Array {
  const fields = (shares: readonly Share[]) => [shares.length, ...shares.flatMap(({ owner, share }) => [owner, share])];
  const { participant, maskKeyShares, selfMaskShares } = revealed;
  const lists = [...fields(maskKeyShares), ...fields(selfMaskShares)];
  return transcript('cutlayer secagg revealed shares v1', round.federation, round.round, cohortDigest, participant, ...lists);
}

/** @throws CutlayerError INVALID_ARGUMENT unless `context` has 32 bytes */
export function requireContext(context: Uint8Array): void {
  if (context.length !== 32) throw new CutlayerError('INVALID_ARGUMENT', `context: expected 32 bytes, got ${context.length}`);
}

function advertisementTranscript(round: RoundName, fields: Omit<Advertisement, 'signature'>): Uint8Array {
  const { participant, encryptionKey, maskKey, selfMaskCommitment, context } = fields;
  const bound = [round.federation, round.round, participant, encryptionKey, maskKey, selfMaskCommitment, context];
  return transcript('cutlayer secagg advertisement v1', ...bound);
}
