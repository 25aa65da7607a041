/** Shape rules of matrix products. */
import { type Dim, shapeText } from '../dim.js';
import type { Value, ValueType } from '../value.js';
import { broadcastShapes, expectDim, type Invalid, type ShapeRules, sameDType } from './context.js';

type Operand = Pick<ValueType, 'dtype' | 'shape'>;

/** The last two dimensions, exchanged when the operand is transposed. */
function matrixDims(value: Operand, transposed: number, name: string, invalid: Invalid): readonly [Dim, Dim] {
  const rows = value.shape.at(-2);
  const columns = value.shape.at(-1);
  if (rows === undefined || columns === undefined) throw invalid(`${name} must have at least 2 dimensions, got ${shapeText(value.shape)}`);
  return transposed === 0 ? [rows, columns] : [columns, rows];
}

/** The operand with its first axis moved behind those of the batch, where it is to be moved. */
function batchFirst(value: Value, moved: number): Operand {
  const { dtype, shape } = value;
  const [first, ...rest] = shape;
  return moved === 0 || first === undefined ? value : { dtype, shape: [...rest.slice(0, -1), first, ...rest.slice(-1)] };
}

function product(A: Operand, B: Operand, transA: number, transB: number, invalid: Invalid): ValueType {
  const dtype = sameDType({ A, B }, invalid);
  const [rows, inner] = matrixDims(A, transA, 'A', invalid);
  const [innerB, columns] = matrixDims(B, transB, 'B', invalid);
  expectDim(inner, innerB, `A ${shapeText(A.shape)} times B ${shapeText(B.shape)}, inner dimension of B`, invalid);
  return { dtype, shape: [...broadcastShapes(A.shape.slice(0, -2), B.shape.slice(0, -2), invalid), rows, columns] };
}

export const linalgShapes = {
  MatMul: ({ A, B, invalid }) => [product(A, B, 0, 0, invalid)],
  FusedMatMul: ({ A, B, transA, transB, transBatchA, transBatchB, invalid }) => [
    product(batchFirst(A, transBatchA), batchFirst(B, transBatchB), transA, transB, invalid),
  ],
  Gemm: ({ A, B, C, transA, transB, invalid }) => {
    if (A.shape.length !== 2 || B.shape.length !== 2) {
      throw invalid(`A and B must be matrices, got ${shapeText(A.shape)} and ${shapeText(B.shape)}`);
    }
    const output = product(A, B, transA, transB, invalid);
    if (C !== undefined) {
      sameDType({ A, C }, invalid);
      const broadcast = broadcastShapes(output.shape, C.shape, invalid);
      if (broadcast.length !== 2) throw invalid(`C ${shapeText(C.shape)} does not broadcast into ${shapeText(output.shape)}`);
      for (const [axis, dim] of broadcast.entries()) expectDim(output.shape[axis]!, dim, `C ${shapeText(C.shape)}, axis ${axis}`, invalid);
    }
    return [output];
  },
} satisfies Partial<ShapeRules>;
