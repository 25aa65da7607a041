/** The input that a process runs, in a file: what is left of a process that hangs or dies. */
import { openSync, readFileSync, writevSync } from 'node:fs';

/** Number of the run, length of the input, and the input. */
const HEADER_BYTES = 16;

/** Opens the file to write. */
export function openProgress(path: string): { readonly runs: (input: Uint8Array) => void } {
  const file = openSync(path, 'w');
  const header = new Float64Array(HEADER_BYTES / 8);
  return {
    runs(input) {
      header[0]!++;
      header[1] = input.length;
      writevSync(file, [header, input], 0);
    },
  };
}

/** The number of the run that goes on, and its input; 0 before the first. */
export function readProgress(path: string): { readonly run: number; readonly input: Uint8Array } {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const file = readFileSync(path);
  bytes.set(file.subarray(0, HEADER_BYTES));
  return { run: bytes.readDoubleLE(0), input: file.subarray(HEADER_BYTES, HEADER_BYTES + bytes.readDoubleLE(8)) };
}
