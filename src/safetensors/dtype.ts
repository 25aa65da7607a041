/** The element types of the safetensors format, and which of them Cutlayer reads as weights. */

/** Bits per element. @see https://github.com/huggingface/safetensors (tensor.rs, `Dtype`) */
const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type SafetensorsDType = keyof typeof dtypeBits;

/** The types that are read as weights, each converted to float32. */
export const weightDTypes = ['F32', 'F16', 'BF16'] as const;

export type WeightDType = (typeof weightDTypes)[number];

export function isSafetensorsDType(name: string): name is SafetensorsDType {
  return Object.hasOwn(dtypeBits, name);
}

export function isWeightDType(dtype: SafetensorsDType): dtype is WeightDType {
  return (weightDTypes as readonly string[]).includes(dtype);
}

/** Bytes per element of a type that is read as weights. */
export function weightBytes(dtype: WeightDType): 2 | 4 {
  return dtype === 'F32' ? 4 : 2;
}

/** Bytes of a tensor. @returns undefined for no whole number of bytes or above 2^53 - 1 */
export function tensorBytes(dtype: SafetensorsDType, shape: readonly number[]): number | undefined {
  let bits: number = dtypeBits[dtype];
  if (shape.includes(0)) return 0;
  for (const dim of shape) {
    bits *= dim;
    if (!Number.isSafeInteger(bits)) return undefined;
  }
  return bits % 8 === 0 ? bits / 8 : undefined;
}
