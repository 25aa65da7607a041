/**
 * The field GF(2^8) of AES (x^8 + x^4 + x^3 + x + 1; FIPS 197 sec. 4.2). Addition is XOR. Products
 * are computed bit by bit, without tables that a secret would index and without branches on a
 * secret.
 */

/**
 * a · b
 * @param a one element, or the four bytes of a 32-bit word; the result has a product for each
 */
export function multiply(a: number, b: number): number {
  let product = 0;
  let factor = a;
  for (let bit = 0; bit < 8; bit++) {
    product ^= factor & -((b >> bit) & 1);
    factor = ((factor & 0x7f7f7f7f) << 1) ^ Math.imul((factor >>> 7) & 0x01010101, 0x1b);
  }
  return product;
}

/** 1 / a = a^254; 0 for 0. */
export function invert(a: number): number {
  let power = a;
  let result = 1;
  for (let bit = 1; bit < 8; bit++) {
    power = multiply(power, power); // a^(2^bit); 254 = 2 + 4 + … + 128
    result = multiply(result, power);
  }
  return result;
}
