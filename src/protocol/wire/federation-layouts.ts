/** Bounds of the federation service's requests (see request-layouts.ts). */
import { FEDERATION_SERVICE } from './federation-service.js';
import type { FederationDefinition } from './generated/cutlayer/v1/Federation.js';
import { type MethodName, requestLayouts } from './request-layouts.js';
import { tensorBounds } from './split-layouts.js';

/** Keys have 32 bytes, signatures 64, sealed shares 80. */
const crypto = { maxBytes: 256 };
/** A manifest has at most 4 MiB; a larger one, up to this, gets the manifest's own error. */
const manifest = { maxBytes: 8 * 1024 * 1024 };

/** The methods of the service. */
export type FederationMethod = MethodName<FederationDefinition>;

/** Request layouts by method. @param maxMembers of a federation; bounds every list */
export function federationRequestLayouts(maxMembers: number) {
  const members = { maxCount: maxMembers };
  return requestLayouts<FederationDefinition>('cutlayer/v1/federation.proto', FEDERATION_SERVICE, {
    ...tensorBounds,
    Advertisement: { encryptionKey: crypto, maskKey: crypto, selfMaskCommitment: crypto, context: crypto, signature: crypto },
    FounderOrder: { signature: crypto },
    Confirmation: { survivors: members, signature: crypto },
    RevealedShares: { maskKeyShares: members, selfMaskShares: members, signature: crypto },
    SealedShares: { ciphertext: crypto },
    Share: { share: crypto },
    ShareKeysRequest: { shares: members },
    SignedBytes: { bytes: manifest, signature: crypto },
    // As large as a message may be.
    SubmitRequest: { payload: { maxBytes: Number.POSITIVE_INFINITY } },
  });
}
