/**
 * What a graph does to take less time for the same numbers, each switched here and nowhere else. To
 * find which one a difference comes from, compile with some of them off.
 */

export interface Optimizations {
  /**
   * The first half of a sequence's queries meets the first half of its keys alone. Otherwise every
   * query meets every key, and a mask hides the later ones. So attention's products, masks and
   * softmax do a quarter less. More parts would save up to half of the work, but each moves the
   * keys once more, which costs short sequences time.
   */
  readonly queryHalves: boolean;
  /**
   * Queries of a block with a sliding window leave out the keys before it. They come in four parts
   * where a sequence may hold the window twice. Otherwise a mask hides those keys.
   */
  readonly windowParts: boolean;
  /**
   * Graphs of blocks take rows without padding and tell where each belongs; attention alone sees
   * padded sequences. Otherwise they take [batch, sequence, d], and every op runs on padding too.
   */
  readonly packedRows: boolean;
  /**
   * The vjp of a backbone with virtual tokens is told which text rows' cotangents are wanted. It
   * leaves out what its first block computes for others alone. It needs `packedRows`.
   */
  readonly wantedCotangents: boolean;
  /**
   * Graphs that are never differentiated use a kernel that holds no scores (fused-attention.ts). It
   * must compute what the model needs, and a block's window must not be short. Otherwise they have
   * the attention of a step.
   */
  readonly fusedAttention: boolean;
}

export const optimizations: Optimizations = {
  queryHalves: true,
  windowParts: true,
  packedRows: true,
  wantedCotangents: true,
  fusedAttention: true,
};
