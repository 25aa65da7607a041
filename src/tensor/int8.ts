/**
 * Symmetric 8-bit quantisation with one scale per row: scale = max |x| / 127 and byte = round(x /
 * scale). A shared scale would let one sequence of a batch change the values of another.
 */

/** Rows of bytes and their scales: element (r, c) is worth `bytes[r * columns + c] * scales[r]`. */
export interface Int8Rows {
  /** [rows * columns] */
  readonly bytes: Int8Array;
  /** [rows]; 0 for a row of zeros. */
  readonly scales: Float32Array;
}

/** Quantises finite values. @param columns elements per row; divides `values.length`. */
export function quantizeRows(values: Float32Array, columns: number): Int8Rows {
  const rows = columns === 0 ? 0 : values.length / columns;
  const bytes = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0, start = 0; row < rows; row++, start += columns) {
    let largest = 0;
    for (let i = start; i < start + columns; i++) {
      const magnitude = Math.abs(values[i]!);
      if (magnitude > largest) largest = magnitude;
    }
    const scale = Math.fround(largest / 127);
    // A scale that underflows, or is too coarse a subnormal to divide by, makes a row of zeros.
    if (scale < 1e-38) continue;
    scales[row] = scale;
    for (let i = start; i < start + columns; i++) {
      const level = values[i]! / scale;
      // Adding and subtracting 1.5 * 2^52 rounds a double to the nearest integer, ties to even.
      const rounded = level + 6755399441055744 - 6755399441055744;
      bytes[i] = rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
    }
  }
  return { bytes, scales };
}

/** The values of quantised rows. @param columns elements per row. */
export function dequantizeRows({ bytes, scales }: Int8Rows, columns: number): Float32Array {
  const out = new Float32Array(bytes.length);
  for (let row = 0, start = 0; row < scales.length; row++, start += columns) {
    const scale = scales[row]!;
    for (let i = start; i < start + columns; i++) out[i] = bytes[i]! * scale;
  }
  return out;
}
