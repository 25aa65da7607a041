/**
 * The accountant adds Rényi divergences of all releases at each order; the best order gives
 * epsilon.
 * @see Mironov, arXiv:1702.07476; conversion: Canonne, Kamath and Steinke, arXiv:2004.00010,
 *   proposition 12 (also Balle et al., arXiv:1905.09982)
 */
import { CutlayerError } from '../errors.js';
import { type PrivacyEvent, parsePrivacyEvent } from './event.js';
import { rdpOf, rdpOrders } from './rdp.js';

/** The guarantee of all releases together. */
export interface Guarantee {
  /** Infinity: there is no bound. */
  readonly epsilon: number;
  readonly delta: number;
  readonly order: number;
}

export class RdpAccountant {
  readonly #divergences = new Float64Array(rdpOrders.length);

  constructor(events: Iterable<PrivacyEvent> = []) {
    for (const event of events) this.add(event);
  }

  /** Adds releases, or none on an error. @throws CutlayerError INVALID_ARGUMENT */
  add(event: PrivacyEvent): this {
    const { count, ...release } = parsePrivacyEvent(event);
    if (count === 0) return this;
    const curve = curveOf({ ...event, count: 1 }, JSON.stringify(release));
    for (let at = 0; at < curve.length; at++) this.#divergences[at]! += count * curve[at]!;
    return this;
  }

  /** The smallest epsilon over all orders. @throws CutlayerError INVALID_ARGUMENT (delta) */
  guarantee(delta: number): Guarantee {
    checkDelta(delta);
    let best: Guarantee = { epsilon: Infinity, delta, order: rdpOrders[0]! };
    rdpOrders.forEach((order, at) => {
      const epsilon = epsilonAt(this.#divergences[at]!, order, delta);
      if (epsilon < best.epsilon) best = { epsilon, delta, order };
    });
    return best;
  }
}

/** Curves of single releases, the newest last: most rounds or steps repeat one. */
const curves = new Map<string, Float64Array>();
const KEPT_CURVES = 32;

function curveOf(release: PrivacyEvent, key: string): Float64Array {
  const curve = curves.get(key) ?? Float64Array.from(rdpOrders, (order) => rdpOf(release, order));
  curves.delete(key);
  curves.set(key, curve);
  if (curves.size > KEPT_CURVES) curves.delete(curves.keys().next().value!);
  return curve;
}

/** Epsilon of some releases together. @throws CutlayerError INVALID_ARGUMENT */
export function epsilonOf(events: Iterable<PrivacyEvent>, delta: number): Guarantee {
  return new RdpAccountant(events).guarantee(delta);
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function checkEpsilon(epsilon: number): void {
  if (epsilon > 0 && epsilon < Infinity) return;
  throw new CutlayerError('INVALID_ARGUMENT', `epsilon: expected a number above 0, got ${epsilon}`);
}

function checkDelta(delta: number): void {
  if (delta > 0 && delta < 1) return;
  throw new CutlayerError('INVALID_ARGUMENT', `delta: expected a number between 0 and 1, got ${delta}`);
}

/** ε = R + ln((α-1)/α) - (ln δ + ln α)/(α-1), and 0 if nothing was released. */
function epsilonAt(divergence: number, order: number, delta: number): number {
  if (divergence === 0) return 0;
  return Math.max(0, divergence + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1));
}
