/** Bytes of what crosses between a participant and its coordinator: tensors, keys, ciphertexts, signatures and names; not the framing of a transport. */

const BYTES_PER_NUMBER = 8;

/** Of a value of the federation's interface. */
export function payloadSize(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number') return BYTES_PER_NUMBER;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, field) => sum + payloadSize(field), 0);
}
