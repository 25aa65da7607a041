/**
 * Secrets from revealed shares, each checked against its owner's commitment. One holder's wrong
 * share is found by leaving each holder out in turn, if one more share came than is needed. With
 * more wrong shares the round fails.
 */
import { CutlayerError } from '../../errors.js';
import type { Cohort } from './cohort.js';
import type { RevealedShares } from './messages.js';
import { reconstructSecret, type SharePoint } from './shamir.js';

/** Which of an owner's two secrets. */
export type SecretKind = 'maskKeyShares' | 'selfMaskShares';

interface HolderPoint extends SharePoint {
  readonly holder: string;
}

/** The shares that were revealed in one round. */
export class Reconstruction {
  readonly #cohort: Cohort;
  readonly #shares: Readonly<Record<SecretKind, ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>>>;
  readonly #liars = new Set<string>();

  constructor(cohort: Cohort, revealed: readonly RevealedShares[]) {
    this.#cohort = cohort;
    this.#shares = { maskKeyShares: byOwner(revealed, 'maskKeyShares'), selfMaskShares: byOwner(revealed, 'selfMaskShares') };
  }

  /** Holders whose share of some secret was wrong while the others' were right; sorted. */
  get liars(): readonly string[] {
    return [...this.#liars].sort();
  }

  /**
   * Opens one secret.
   * @param isRight whether a candidate is the secret that its owner has committed to
   * @throws CutlayerError SECAGG_FAILED when too few shares came, or no set of them gives the
   *   secret
   */
  open(owner: string, kind: SecretKind, isRight: (candidate: Uint8Array) => boolean): Uint8Array {
    const needed = this.#cohort.holderThreshold;
    const points = this.#points(owner, kind);
    const trusted = points.filter(({ holder }) => !this.#liars.has(holder));
    if (trusted.length < needed) throw this.#failed(owner, `${trusted.length} shares came, ${needed} are needed`);
    const secret = reconstructSecret(trusted.slice(0, needed));
    if (isRight(secret)) return secret;
    for (const left of trusted.length > needed ? trusted.slice(0, needed) : []) {
      const others = trusted.filter((point) => point !== left).slice(0, needed);
      const candidate = reconstructSecret(others);
      if (!isRight(candidate)) continue;
      this.#liars.add(left.holder);
      return candidate;
    }
    throw this.#failed(owner, `the shares of ${trusted.length} holders do not give what it has committed to`);
  }

  #points(owner: string, kind: SecretKind): HolderPoint[] {
    const shares = this.#shares[kind].get(owner);
    const points: HolderPoint[] = [];
    for (const [i, holder] of this.#cohort.holdersOf(owner).entries()) {
      const share = shares?.get(holder);
      if (share?.length === 32) points.push({ holder, x: i + 1, share });
    }
    return points;
  }

  #failed(owner: string, reason: string): CutlayerError {
    return new CutlayerError('SECAGG_FAILED', `secure aggregation failed: the secret of ${owner}: ${reason}; begin another round`, {
      details: { owner },
    });
  }
}

function byOwner(revealed: readonly RevealedShares[], kind: SecretKind): Map<string, Map<string, Uint8Array>> {
  const shares = new Map<string, Map<string, Uint8Array>>();
  for (const message of revealed)
    for (const { owner, share } of message[kind]) {
      const held = shares.get(owner) ?? new Map<string, Uint8Array>();
      shares.set(owner, held.set(message.participant, share));
    }
  return shares;
}
