/** The arithmetic of AdamW, one float after the other. */

/** The numbers of a step, each rounded to float32. */
export interface AdamWFactors {
  /** 1 - learning rate x weight decay */
  readonly decay: number;
  /** 1 - beta1 */
  readonly blend: number;
  readonly beta2: number;
  /** 1 - beta2 */
  readonly square: number;
  /** -learning rate / (1 - beta1^step) */
  readonly stepSize: number;
  /** sqrt(1 - beta2^step) */
  readonly correction: number;
  readonly epsilon: number;
}

/** Values that a step reads and, but for the gradient, changes; all of one length. */
export interface AdamWValues {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly expAvg: Float32Array;
  readonly expAvgSq: Float32Array;
}

/**
 * One step in place.
 * @param instead Told of the new parameters, some at a time; they are gone afterwards. Where it is
 *   given, nothing is changed.
 */
export function stepAdamW(values: AdamWValues, numbers: AdamWFactors, instead?: (parameter: Float32Array) => void): void {
  const { parameter, gradient, expAvg, expAvgSq } = values;
  const { decay, blend, beta2, square, stepSize, correction, epsilon } = numbers;
  const { fround, sqrt } = Math;
  const updated = instead === undefined ? parameter : new Float32Array(parameter.length);
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i] as number;
    const m = fround((expAvg[i] as number) + fround(blend * fround(g - (expAvg[i] as number))));
    const v = fround(fround((expAvgSq[i] as number) * beta2) + fround(fround(g * g) * square));
    const denominator = fround(fround(fround(sqrt(v)) / correction) + epsilon);
    updated[i] = fround(fround((parameter[i] as number) * decay) + fround(stepSize * fround(m / denominator)));
    if (instead !== undefined) continue;
    expAvg[i] = m;
    expAvgSq[i] = v;
  }
  instead?.(updated);
}
