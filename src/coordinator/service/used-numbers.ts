/** Which numbers were used: the newest, and those of the 64 up to it. @see RFC 4303 sec. 3.4.3 */

/** Calls of one member that may overtake each other. */
const WIDTH = 64;

/** See the module's header. */
export class UsedNumbers {
  #newest = 0;
  /** Bit i: number newest − i was used. */
  #used = 0n;

  /** Marks a number. @returns false when it was used before, or is too old to tell */
  use(number: number): boolean {
    if (number > this.#newest) {
      const step = number - this.#newest;
      this.#used = BigInt.asUintN(WIDTH, (step < WIDTH ? this.#used << BigInt(step) : 0n) | 1n);
      this.#newest = number;
      return true;
    }
    const age = this.#newest - number;
    const bit = 1n << BigInt(Math.min(age, WIDTH));
    if (age >= WIDTH || number < 1 || (this.#used & bit) !== 0n) return false;
    this.#used |= bit;
    return true;
  }
}
