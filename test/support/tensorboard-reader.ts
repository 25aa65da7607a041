/**
 * Reads TensorBoard's event files back: TFRecord framing with its checksums, and the events in it.
 */
import { maskedCrc32c } from '../../clients/typescript/training/tensorboard/crc32c.js';
import { eventType, type ScalarEvent } from '../../clients/typescript/training/tensorboard/event.js';

const LENGTH_BYTES = 8;
const CRC_BYTES = 4;

/** The event in some bytes. */
export function decodeEvent(bytes: Uint8Array): ScalarEvent {
  // The type's schema is the interface's own.
  return eventType.toObject(eventType.decode(bytes), { longs: Number }) as ScalarEvent;
}

/**
 * The data of each record of a file. A last record that was cut off, as a killed process leaves it,
 * is passed over.
 */
export function decodeRecords(file: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const records: Uint8Array[] = [];
  for (let at = 0; at + LENGTH_BYTES + CRC_BYTES <= file.length; ) {
    check(view, at + LENGTH_BYTES, file.subarray(at, at + LENGTH_BYTES), `length at byte ${at}`);
    const start = at + LENGTH_BYTES + CRC_BYTES;
    const end = start + Number(view.getBigUint64(at, true));
    if (end + CRC_BYTES > file.length) break;
    const data = file.subarray(start, end);
    check(view, end, data, `data at byte ${start}`);
    records.push(data);
    at = end + CRC_BYTES;
  }
  return records;
}

function check(view: DataView, crcAt: number, data: Uint8Array, what: string): void {
  const [wanted, got] = [view.getUint32(crcAt, true), maskedCrc32c(data)];
  if (wanted !== got) throw new Error(`TFRecord: ${what}: checksum ${got}, the file says ${wanted}`);
}
