/** Gaussian elimination with partial pivoting. @see Golub and Van Loan 2013, sec. 3.4 */

/**
 * The x of A x = b; undefined where A is singular. Both are overwritten.
 * @param matrix A, [n, n] @param right b, [n]
 */
export function solve(matrix: Float64Array, right: Float64Array): Float64Array | undefined {
  const n = right.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) if (Math.abs(matrix[row * n + column]!) > Math.abs(matrix[pivot * n + column]!)) pivot = row;
    if (matrix[pivot * n + column] === 0) return undefined;
    if (pivot !== column) {
      const moved = matrix.slice(pivot * n, (pivot + 1) * n);
      matrix.copyWithin(pivot * n, column * n, (column + 1) * n);
      matrix.set(moved, column * n);
      [right[pivot], right[column]] = [right[column]!, right[pivot]!];
    }
    for (let row = column + 1; row < n; row++) {
      const scale = matrix[row * n + column]! / matrix[column * n + column]!;
      if (scale === 0) continue;
      for (let i = column; i < n; i++) matrix[row * n + i] = matrix[row * n + i]! - scale * matrix[column * n + i]!;
      right[row] = right[row]! - scale * right[column]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    let sum = right[row]!;
    for (let i = row + 1; i < n; i++) sum -= matrix[row * n + i]! * right[i]!;
    right[row] = sum / matrix[row * n + row]!;
  }
  return right;
}
