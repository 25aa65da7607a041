/**
 * TFRecord framing: uint64 length, masked CRC of the length, data, masked CRC of the data; all little-endian.
 * @see https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
 */
import { CutlayerError } from '../../../../src/errors.js';
import { maskedCrc32c } from './crc32c.js';

const LENGTH_BYTES = 8;
const CRC_BYTES = 4;

/** The record that holds some data. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(LENGTH_BYTES + CRC_BYTES + data.length + CRC_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(LENGTH_BYTES, maskedCrc32c(record.subarray(0, LENGTH_BYTES)), true);
  record.set(data, LENGTH_BYTES + CRC_BYTES);
  view.setUint32(record.length - CRC_BYTES, maskedCrc32c(data), true);
  return record;
}

/**
 * The data of each record of a file. A last record that was cut off, as a killed process leaves it, is passed over.
 * @throws CutlayerError INVALID_DATA when a checksum does not match
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
  if (wanted !== got) throw new CutlayerError('INVALID_DATA', `TFRecord: ${what}: checksum ${got}, the file says ${wanted}`);
}
