/** Members' messages as the store keeps them: canonical JSON with byte fields in base64, so that the same message always gives the same bytes. */
import { canonicalBytes } from '../../protocol/federation/canonical-json.js';
import type { Enlistment } from '../../protocol/federation/enlistment.js';
import type { Advertisement, Confirmation, RevealedShares, SealedShares, Share } from '../../protocol/secagg/messages.js';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
const unbase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
// Only this file writes what is read here.
const parse = <Stored>(bytes: Uint8Array): Stored => JSON.parse(new TextDecoder().decode(bytes)) as Stored;

/** The same fields, with text in the place of bytes. */
type Stored<T> = {
  readonly [K in keyof T]: T[K] extends Uint8Array ? string : T[K] extends readonly Share[] ? readonly Stored<Share>[] : T[K];
};

type StoredEnlistment = Omit<Enlistment, 'advertisement'> & { readonly advertisement: Stored<Advertisement> };

/** An enlistment. */
export function encodeEnlistment({ purpose, chainHead, examples, advertisement }: Enlistment): Uint8Array {
  const { participant, encryptionKey, maskKey, selfMaskCommitment, context, signature } = advertisement;
  const stored: Stored<Advertisement> = {
    participant,
    encryptionKey: base64(encryptionKey),
    maskKey: base64(maskKey),
    selfMaskCommitment: base64(selfMaskCommitment),
    context: base64(context),
    signature: base64(signature),
  };
  return canonicalBytes({ purpose, chainHead, examples, advertisement: stored });
}

export function decodeEnlistment(bytes: Uint8Array): Enlistment {
  const { advertisement: stored, ...terms } = parse<StoredEnlistment>(bytes);
  const advertisement: Advertisement = {
    participant: stored.participant,
    encryptionKey: unbase64(stored.encryptionKey),
    maskKey: unbase64(stored.maskKey),
    selfMaskCommitment: unbase64(stored.selfMaskCommitment),
    context: unbase64(stored.context),
    signature: unbase64(stored.signature),
  };
  return { ...terms, advertisement };
}

/** One member's sealed shares, sorted by receiver. */
export function encodeSealed(shares: readonly SealedShares[]): Uint8Array {
  const sorted = [...shares].sort((a, b) => (a.to < b.to ? -1 : 1));
  return canonicalBytes(sorted.map(({ from, to, ciphertext }) => ({ from, to, ciphertext: base64(ciphertext) })));
}

export function decodeSealed(bytes: Uint8Array): SealedShares[] {
  return parse<Stored<SealedShares>[]>(bytes).map(({ from, to, ciphertext }) => ({ from, to, ciphertext: unbase64(ciphertext) }));
}

/** A confirmation. */
export function encodeConfirmation({ participant, survivors, signature }: Confirmation): Uint8Array {
  return canonicalBytes({ participant, survivors: [...survivors], signature: base64(signature) });
}

export function decodeConfirmation(bytes: Uint8Array): Confirmation {
  const stored = parse<Stored<Confirmation>>(bytes);
  return { ...stored, signature: unbase64(stored.signature) };
}

/** Revealed shares. */
export function encodeRevealed({ participant, maskKeyShares, selfMaskShares, signature }: RevealedShares): Uint8Array {
  const list = (shares: readonly Share[]) => shares.map(({ owner, share }) => ({ owner, share: base64(share) }));
  const stored = { participant, maskKeyShares: list(maskKeyShares), selfMaskShares: list(selfMaskShares), signature: base64(signature) };
  return canonicalBytes(stored);
}

export function decodeRevealed(bytes: Uint8Array): RevealedShares {
  const stored = parse<Stored<RevealedShares>>(bytes);
  const list = (shares: readonly Stored<Share>[]) => shares.map(({ owner, share }) => ({ owner, share: unbase64(share) }));
  return {
    participant: stored.participant,
    maskKeyShares: list(stored.maskKeyShares),
    selfMaskShares: list(stored.selfMaskShares),
    signature: unbase64(stored.signature),
  };
}
