/** Holds one text to a constraint, a token at a time. */
import { CutlayerError } from '../../../../src/errors.js';
import type { TextTokenizer } from '../../data/text-tokenizer.js';
import type { Constraint } from './constraint.js';
import { type GrammarLease, leaseGrammar } from './grammar-cache.js';

/** A piece of a text. */
interface Given {
  readonly text: string;
  /** In the last one: how the text ended. */
  readonly finish?: 'stop' | 'length';
  /** The stop string that cut it off. */
  readonly stop?: string;
}

/** The masks of one text. The next one is computed while the gateway is. */
export class Guide {
  readonly #lease: GrammarLease;
  readonly #number: number;
  #next: Promise<Int32Array>;
  #mask: Int32Array | undefined;
  #text = '';
  /** No token may follow. */
  #stuck = false;

  private constructor(lease: GrammarLease) {
    this.#lease = lease;
    this.#number = lease.thread.newText();
    this.#next = this.#ask({ kind: 'begin', text: this.#number });
  }

  /** @throws CutlayerError as `leaseGrammar` */
  static async start(tokenizer: TextTokenizer, constraint: Constraint, stopTokenIds: readonly number[] = []): Promise<Guide> {
    return new Guide(await leaseGrammar(tokenizer, constraint, new Set([...tokenizer.stopTokenIds, ...stopTokenIds])));
  }

  /** Waits for the next mask. @throws CutlayerError LIMIT_EXCEEDED (its time), INTERNAL */
  async ready(): Promise<void> {
    this.#mask = await this.#next;
  }

  /**
   * Takes from the next token what the constraint does not allow. {@link ready} comes before.
   * @param logits [vocabulary]; they are changed
   * @returns false where no token may follow, and none ends the text: it has ended
   */
  apply(logits: Float32Array): boolean {
    const mask = this.#mask!;
    let left = 0;
    for (let id = 0; id < logits.length; id++) {
      if (((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) left++;
      else logits[id] = Number.NEGATIVE_INFINITY;
    }
    this.#stuck = left === 0;
    return left > 0;
  }

  /** A token was chosen: the mask after it is asked for. */
  accept(token: number): void {
    this.#next = this.#ask({ kind: 'accept', text: this.#number, token });
  }

  /**
   * A piece of the text; the last one is checked with all others.
   * @throws CutlayerError INVALID_ARGUMENT (no token can go on), INTERNAL
   */
  async add({ text, finish, stop }: Given): Promise<void> {
    this.#text += text;
    if (finish !== 'stop' || stop !== undefined) return;
    if ((await this.#lease.thread.ask({ kind: 'check', finished: this.#text })) === true) return;
    if (this.#stuck)
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        'constraint: no token can go on with the text, which does not fit yet; a token that it needs ends texts (stop token ids), or the tokenizer lacks it',
      );
    throw new CutlayerError('INTERNAL', 'constraint: the finished text does not fit it; please report the constraint and the tokenizer');
  }

  /** The text has ended, or was given up. */
  close(): void {
    this.#lease.thread.ask({ kind: 'end', text: this.#number }).catch(() => undefined);
    this.#lease.release();
  }

  #ask(request: Parameters<GrammarLease['thread']['ask']>[0]): Promise<Int32Array> {
    // Questions of this kind are answered with masks.
    const answer = this.#lease.thread.ask(request) as Promise<Int32Array>;
    answer.catch(() => undefined); // `ready` throws it
    return answer;
  }
}
