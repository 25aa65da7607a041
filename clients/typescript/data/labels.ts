/** The classes that a data file has. */
import { CutlayerError } from '../../../src/errors.js';
import type { Format } from './formats.js';
import { readRecord } from './records.js';
import { readRows } from './rows.js';

/** Distinct labels that are read; more are no names of classes. */
const MOST = 10_000;

/** The distinct labels of a file. */
export interface ReadLabels {
  /** In the order of their characters, so that the order of the records does not count. */
  readonly labels: readonly string[];
  readonly records: number;
}

/**
 * Reads the labels of a file's records.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA naming file:line, CANCELLED
 */
export async function readLabels(file: string, format?: Format, signal?: AbortSignal): Promise<ReadLabels> {
  const labels = new Set<string>();
  let records = 0;
  for await (const row of readRows(file)) {
    if (signal?.aborted) throw new CutlayerError('CANCELLED', `${file}: reading was cancelled`);
    const { record } = readRecord(row.value(), row.source, format);
    if (record.label === undefined)
      throw new CutlayerError('INVALID_DATA', `${row.source}: "label": expected the name of a class, got nothing`);
    labels.add(record.label);
    records++;
    if (labels.size > MOST)
      throw new CutlayerError(
        'INVALID_DATA',
        `${file}: more than ${MOST} different labels; a classification head has a row for each: pass the classes as --labels`,
      );
  }
  return { labels: [...labels].sort(), records };
}
