/** One private X25519 key's agreements with others, each computed once. */
import type { KeyObject } from 'node:crypto';
import { refused } from './cohort.js';
import { agree, agreementKey } from './key-schedule.js';

/** Remembers the shared secrets of one private key. */
export class Agreements {
  readonly #rawPrivate: Uint8Array;
  #privateKey: KeyObject | undefined;
  readonly #secrets = new Map<string, Uint8Array>();

  constructor(rawPrivate: Uint8Array) {
    this.#rawPrivate = rawPrivate;
  }

  /**
   * The secret shared with `name`, which has one key in a round.
   * @throws CutlayerError SECAGG_REFUSED for a key of low order
   */
  with(name: string, rawPublic: Uint8Array): Uint8Array {
    this.#privateKey ??= agreementKey(this.#rawPrivate);
    const secret = this.#secrets.get(name) ?? agree(this.#privateKey, rawPublic);
    if (secret === undefined) throw refused(`cohort: a key of ${name} is of low order`);
    this.#secrets.set(name, secret);
    return secret;
  }
}
