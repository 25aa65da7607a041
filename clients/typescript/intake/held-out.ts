/** Which examples are held out: a share by keyed hash of the content, so none changes sides. */

/** @param hash Keyed, latin1, of ExampleIndex: uniform, so its first 48 bits are in [0, 1). */
export function isHeldOut(hash: string, share: number): boolean {
  return Buffer.from(hash.slice(0, 6), 'latin1').readUIntBE(0, 6) / 2 ** 48 < share;
}
