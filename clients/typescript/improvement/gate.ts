/** The gate: whether a candidate takes the promoted version's place, and why. */
import type { Difference, Estimate } from './bootstrap.js';

/** Loss on earlier held-out examples that a candidate may lose, nats, when nothing is said. */
export const DEFAULT_MAX_FORGETTING = 0.05;

/** What a candidate is judged by. */
export interface GateInput {
  /** On all held-out examples; undefined: there are none. */
  readonly current: Difference | undefined;
  /** On those that the promoted version's data had; undefined: there are none. */
  readonly earlier: Difference | undefined;
  readonly maxForgetting: number;
}

export interface Judgement {
  readonly promote: boolean;
  /** A sentence each, with the numbers. */
  readonly reasons: readonly string[];
}

/**
 * Promotes a candidate that is better, is not worse, and has not forgotten.
 * - Better: the interval of loss or of exact match is wholly on the better side.
 * - Not worse: neither interval is wholly on the worse side.
 * - Not forgotten: on earlier held-out examples the mean loss has not risen over the bound, and
 *   exact match has not surely fallen.
 */
export function judge({ current, earlier, maxForgetting }: GateInput): Judgement {
  if (current === undefined) {
    return keep(['there are no held-out examples to compare on; add examples, raise --held-out-share or give --held-out']);
  }
  const { loss, exactMatch } = current;
  const on = `on ${current.examples} held-out examples`;
  const said = { loss: `loss ${on}: ${shown(loss)}`, exact: `exact match ${on}: ${shown(exactMatch)}` };
  if (loss.low > 0) return keep([`${said.loss}: worse`]);
  if (exactMatch.high < 0) return keep([`${said.exact}: worse`]);
  if (earlier !== undefined) {
    const before = `on ${earlier.examples} earlier held-out examples`;
    if (earlier.loss.value > maxForgetting)
      return keep([`loss ${before}: ${shown(earlier.loss)}: forgotten, more than --max-forgetting ${maxForgetting}`]);
    if (earlier.exactMatch.high < 0) return keep([`exact match ${before}: ${shown(earlier.exactMatch)}: forgotten`]);
  }
  const better = [...(loss.high < 0 ? [`${said.loss}: better`] : []), ...(exactMatch.low > 0 ? [`${said.exact}: better`] : [])];
  if (better.length === 0) return keep([`${said.loss}, ${said.exact}: no sure gain`]);
  return { promote: true, reasons: better };
}

function keep(reasons: readonly string[]): Judgement {
  return { promote: false, reasons };
}

/** `-0.1234 (95 %: -0.2 to -0.05)` */
export function shown({ value, low, high }: Estimate): string {
  const signed = (x: number) => `${x > 0 ? '+' : ''}${x.toFixed(4)}`;
  return `${signed(value)} (95 %: ${signed(low)} to ${signed(high)})`;
}
