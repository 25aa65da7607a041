/**
 * How many drafted tokens to send beside the next one, a pure state. A draft is worth its rows when
 * the tokens that it brings cost less time than steps of their own.
 *
 * With each drafted token right with probability p, independently, a draft of k brings (1 -
 * p^(k+1)) / (1 - p) tokens. A step takes a fixed time, the round trip among it, and a time for
 * each row. Both are measured as the text grows.
 * @see Leviathan, Kalman, Matias: Fast Inference from Transformers via Speculative Decoding (2023),
 *   eq. 1
 */

/** Weight of a new measurement, and of a token that was right or wrong. */
const [FRESH, FRESH_TOKEN] = [0.2, 0.1];
/**
 * Steps without a draft before one finds out whether drafts are right by now; then twice as many.
 */
const [PROBE_AFTER, PROBE_AT_LEAST_EVERY] = [32, 512];

/** The length of the next draft. */
export class DraftLength {
  readonly #most: number;
  /** Probability that a drafted token is right. */
  #right = 0.5;
  /** Drafted tokens that were right or wrong so far. The first ones weigh more. */
  #judged = 0;
  /** Milliseconds of a step of one row, and of each row more. */
  #stepMs: number | undefined;
  #rowMs: number | undefined;
  #plainSteps = 0;
  #probeAfter = PROBE_AFTER;

  /** @param most the longest draft. Default 16 */
  constructor(most = 16) {
    this.#most = most;
  }

  /** Drafted tokens to send; 0 where plain steps are faster. */
  next(): number {
    const best = this.#best();
    if (best > 0) {
      this.#plainSteps = 0;
      this.#probeAfter = PROBE_AFTER;
    } else if (this.#stepMs !== undefined && ++this.#plainSteps >= this.#probeAfter) {
      this.#plainSteps = 0;
      this.#probeAfter = Math.min(2 * this.#probeAfter, PROBE_AT_LEAST_EVERY);
      return Math.min(1, this.#most);
    }
    return best;
  }

  /**
   * Notes a step.
   * @param drafted tokens of its draft, of which `accepted` were right
   * @param ms its time, round trip included
   */
  note(drafted: number, accepted: number, ms: number): void {
    if (drafted === 0) {
      this.#stepMs = mean(this.#stepMs, ms);
      return;
    }
    // The first wrong token ends what a draft says of the others.
    const judged = Math.min(drafted, accepted + 1);
    for (let at = 0; at < judged; at++) {
      const weight = Math.max(FRESH_TOKEN, 1 / (++this.#judged + 1));
      this.#right += weight * (Number(at < accepted) - this.#right);
    }
    if (this.#stepMs !== undefined) this.#rowMs = mean(this.#rowMs, Math.max(0, (ms - this.#stepMs) / drafted));
  }

  #best(): number {
    const [stepMs, p] = [this.#stepMs, this.#right];
    if (stepMs === undefined) return 0;
    const rowMs = this.#rowMs ?? 0.1 * stepMs;
    let [best, rate] = [0, 1 / stepMs];
    for (let k = 1; k <= this.#most; k++) {
      const tokens = (1 - p ** (k + 1)) / (1 - p);
      const here = tokens / (stepMs + k * rowMs);
      if (here > rate) [best, rate] = [k, here];
    }
    return best;
  }
}

const mean = (old: number | undefined, value: number): number => (old === undefined ? value : old + FRESH * (value - old));
