/** The texts that an attacker sends: its own records, put together at random to one length. */
import type { Example } from '../../../../clients/typescript/data/examples.js';
import { CutlayerError } from '../../../errors.js';
import { seeded } from '../../../tensor/random.js';

/** One text. */
export interface AttackText {
  readonly tokenIds: Int32Array;
  /** 1 where the attacker knows what the model should say: its own answers. */
  readonly labelMask: Uint8Array;
}

/** Texts by their number, each the same whenever it is asked for. */
export class AttackTexts {
  readonly #examples: readonly Example[];
  readonly #seed: number;
  /** Tokens of each text. */
  readonly length: number;

  /** @throws CutlayerError INVALID_DATA when there is no token to send */
  constructor(examples: readonly Example[], { length, seed }: { readonly length: number; readonly seed: number }) {
    this.#examples = examples.filter(({ tokenIds }) => tokenIds.length > 0);
    if (this.#examples.length === 0) throw new CutlayerError('INVALID_DATA', 'audit-extraction: expected at least one record with a token');
    this.#seed = seed;
    this.length = length;
  }

  /** The text of a number. */
  text(number: number): AttackText {
    const { length } = this;
    const random = seeded(this.#seed, number);
    const tokenIds = new Int32Array(length);
    const labelMask = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const example = this.#examples[random.integer(this.#examples.length)]!;
      const taken = Math.min(length - at, example.tokenIds.length);
      tokenIds.set(example.tokenIds.subarray(0, taken), at);
      labelMask.set(example.labelMask.subarray(0, taken), at);
      at += taken;
    }
    return { tokenIds, labelMask };
  }
}
