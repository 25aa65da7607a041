/**
 * Tails of the hypergeometric distribution: of `marked` among `population`, how many fall into a
 * draw of `drawn` without replacement.
 */

/** ln Γ by Stirling's series after a shift; relative error below 1e-14 for n >= 1. */
function logFactorial(n: number): number {
  let shift = 0;
  let x = n + 1;
  for (; x < 16; x++) shift -= Math.log(x);
  const inverse = 1 / x;
  const series = inverse * (1 / 12 - inverse ** 2 * (1 / 360 - inverse ** 2 * (1 / 1260 - inverse ** 2 / 1680)));
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}

/** ln of n over k. */
function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** Pr[from <= X <= to]. */
export function hypergeometricRange(population: number, marked: number, drawn: number, from: number, to: number): number {
  const lowest = Math.max(from, 0, drawn - (population - marked));
  const highest = Math.min(to, drawn, marked);
  let sum = 0;
  for (let x = lowest; x <= highest; x++)
    sum += Math.exp(logChoose(marked, x) + logChoose(population - marked, drawn - x) - logChoose(population, drawn));
  return sum;
}
