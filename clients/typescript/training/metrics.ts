/** `metrics.jsonl`: one JSON object per optimizer step and per evaluation, as they happen. */
import { JsonLines, readJsonLines } from '../../../src/files/json-lines.js';

export type MetricsRecord = Readonly<Record<string, string | number | boolean>> & { readonly step: number };

export const METRICS_FILE = 'metrics.jsonl';

/** Opens the file, dropping lines after `throughStep`: a resumed run writes those again. */
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
