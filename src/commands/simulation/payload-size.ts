/** Bytes of payloads between a participant and its coordinator, without transport framing. */

const BYTES_PER_NUMBER = 8;

/** Of a value of the federation's interface. */
export function payloadSize(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number') return BYTES_PER_NUMBER;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, field) => sum + payloadSize(field), 0);
}
