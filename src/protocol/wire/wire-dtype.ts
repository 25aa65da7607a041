/** The element types that a tensor may have between client and gateway. */
import { CutlayerError } from '../../errors.js';
import type { DType__Output } from './generated/cutlayer/v1/DType.js';

interface WireDTypeRow {
  /** The enum value in tensor.proto. */
  readonly proto: Exclude<DType__Output, 'DTYPE_UNSPECIFIED'>;
  /** Bytes per element, scales apart. */
  readonly bytes: number;
}

/** The closed table of wire element types; the keys are the names in options. */
export const wireDTypes = {
  f32: { proto: 'DTYPE_F32', bytes: 4 },
  f16: { proto: 'DTYPE_F16', bytes: 2 },
  bf16: { proto: 'DTYPE_BF16', bytes: 2 },
  int8: { proto: 'DTYPE_INT8', bytes: 1 },
} as const satisfies Record<string, WireDTypeRow>;

/** A key of {@link wireDTypes}. */
export type WireDType = keyof typeof wireDTypes;

/** The names, in the order of the enum. */
export const wireDTypeNames = Object.keys(wireDTypes) as readonly WireDType[];

/**
 * The element type of an enum value as proto-loader decodes it: a name, or a number if this version
 * does not know the value.
 * @param field what to call it in the error
 * @throws CutlayerError INVALID_DTYPE
 */
export function wireDTypeOf(value: string | number | undefined, field: string): WireDType {
  const found = wireDTypeNames.find((name) => wireDTypes[name].proto === value);
  if (found !== undefined) return found;
  throw new CutlayerError(
    'INVALID_DTYPE',
    `${field}: expected one of ${wireDTypeNames.map((name) => wireDTypes[name].proto).join(', ')}, got ${value ?? 'nothing'}`,
  );
}

/** Bytes of a tensor on the wire: elements, and for int8 a float32 scale per row; no framing. */
export function wireBytes(shape: readonly number[], dtype: WireDType): number {
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const scales = dtype === 'int8' ? 4 * shape.slice(0, -1).reduce((product, dim) => product * dim, 1) : 0;
  return elements * wireDTypes[dtype].bytes + scales;
}
