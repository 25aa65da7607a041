/** `metrics.jsonl`: one JSON object per optimizer step and per evaluation, written as they happen. */
import { JsonLines, readJsonLines } from '../../../src/files/json-lines.js';

/** A line of the file. */
export type MetricsRecord = Readonly<Record<string, string | number | boolean>> & { readonly step: number };

/** The name of the file in a run's directory. */
export const METRICS_FILE = 'metrics.jsonl';

/** Opens the file, dropping what was written after `throughStep`: a resumed run writes those steps again. */
export function openMetrics(path: string, throughStep: number): Promise<JsonLines<MetricsRecord>> {
  const parse = (line: string): MetricsRecord | undefined => {
    const record = recordOf(line);
    return record !== undefined && record.step <= throughStep ? record : undefined;
  };
  return JsonLines.open(path, { parse });
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
