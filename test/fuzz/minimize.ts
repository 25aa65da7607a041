/** Makes a failing input smaller by leaving ranges out, then by plainer bytes. @see Zeller, Hildebrandt 2002 (ddmin) */

/**
 * The smallest input found that still fails.
 * @param fails whether an input fails in the same way
 * @param deadline milliseconds since 1970 at which the search ends
 */
export async function minimized(
  input: Uint8Array,
  fails: (candidate: Uint8Array) => Promise<boolean>,
  deadline: number,
): Promise<Uint8Array> {
  let best = input;
  const better = async (candidate: Uint8Array): Promise<boolean> => {
    if (Date.now() > deadline || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let width = Math.ceil(best.length / 2); width >= 1 && Date.now() <= deadline; ) {
    let removed = false;
    for (let at = 0; at < best.length && Date.now() <= deadline; ) {
      if (await better(Buffer.concat([best.subarray(0, at), best.subarray(at + width)]))) removed = true;
      else at += width;
    }
    if (!removed || width > best.length) {
      if (width === 1) break;
      width = Math.ceil(Math.min(width, best.length) / 2);
    }
  }
  const plain = 0x30;
  for (let at = 0; at < best.length && best.length <= 256 && Date.now() <= deadline; at++) {
    if (best[at] === plain) continue;
    await better(Uint8Array.from(best, (byte, index) => (index === at ? plain : byte)));
  }
  return best;
}
