/** `metrics.jsonl`: one JSON object per optimizer step and per evaluation, as they happen. */
import { JsonLines, readJsonLines } from '../../../src/files/json-lines.js';

export type MetricsRecord = Readonly<Record<string, string | number | boolean>> & { readonly step: number };

export const METRICS_FILE = 'metrics.jsonl';

/**
 * Opens the file, dropping lines after `throughStep`, which a resumed run writes again, and lines
 * that repeat an earlier one's type and step.
 */
export function openMetrics(path: string, throughStep: number): Promise<JsonLines<MetricsRecord>> {
  const isNew = newRecords();
  const parse = (line: string): MetricsRecord | undefined => {
    const record = recordOf(line);
    return record !== undefined && record.step <= throughStep && isNew(record) ? record : undefined;
  };
  return JsonLines.open(path, { parse });
}

/** Tells whether a record's step is later than all before of its type, for records in order. */
export function newRecords(): (record: MetricsRecord) => boolean {
  const last = new Map<unknown, number>();
  return ({ type, step }) => {
    if (step <= (last.get(type) ?? Number.NEGATIVE_INFINITY)) return false;
    last.set(type, step);
    return true;
  };
}

/** The records of a metrics file; none when there is no file. */
export function readMetrics(path: string): Promise<readonly MetricsRecord[]> {
  return readJsonLines(path, recordOf);
}

function recordOf(line: string): MetricsRecord | undefined {
  try {
    const record = JSON.parse(line) as MetricsRecord | null;
    return typeof record?.step === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}
