/**
 * The proof of a member's call: a signature by its key on the roster. It covers a challenge of the
 * coordinator, a number that is used once, the method and the message. A token names the member;
 * the proof shows that the caller holds the key that this federation has for the name.
 */
import { createHash } from 'node:crypto';
import { SIGNATURE_BYTES, sign, verify } from '../secagg/signature.js';
import { transcript } from '../secagg/transcript.js';

/** Length of a challenge: the time of its issue and the coordinator's code over it. */
export const CHALLENGE_BYTES = 40;
const NUMBER_BYTES = 8;

/** A proof in its parts. On the wire they follow each other, the number as u64 little-endian. */
export interface MemberProof {
  readonly challenge: Uint8Array;
  /** One more with each call under the challenge. */
  readonly number: number;
  readonly signature: Uint8Array;
}

/** What a proof is about. */
export interface ProvenCall {
  /** Hex id. */
  readonly federation: string;
  /** Name of the method, such as `NextTask`. */
  readonly method: string;
  /** sha256 of the message as it crosses. */
  readonly digest: Uint8Array;
}

/** sha256 of a message. */
export function messageDigest(message: Uint8Array): Uint8Array {
  return createHash('sha256').update(message).digest();
}

/** Signs a call. @returns the header's bytes */
export function proveCall(call: ProvenCall, { challenge, number }: Omit<MemberProof, 'signature'>, privateKey: Uint8Array): Uint8Array {
  const place = Buffer.alloc(NUMBER_BYTES);
  place.writeBigUInt64LE(BigInt(number));
  return Buffer.concat([challenge, place, sign(privateKey, proofTranscript(call, { challenge, number }))]);
}

/** Reads a header's bytes; undefined for others. */
export function readProof(bytes: Uint8Array): MemberProof | undefined {
  if (bytes.length !== CHALLENGE_BYTES + NUMBER_BYTES + SIGNATURE_BYTES) return undefined;
  const all = Buffer.from(bytes);
  const number = Number(all.readBigUInt64LE(CHALLENGE_BYTES));
  if (!Number.isSafeInteger(number)) return undefined;
  return { challenge: all.subarray(0, CHALLENGE_BYTES), number, signature: all.subarray(CHALLENGE_BYTES + NUMBER_BYTES) };
}

/** Whether the holder of `publicKey` made the call. */
export function isCallProven(call: ProvenCall, proof: MemberProof, publicKey: Uint8Array): boolean {
  return verify(publicKey, proofTranscript(call, proof), proof.signature);
}

function proofTranscript({ federation, method, digest }: ProvenCall, { challenge, number }: Omit<MemberProof, 'signature'>): Uint8Array {
  return transcript('cutlayer member call v1', federation, challenge, number, method, digest);
}
