/** `metrics.jsonl`: one JSON object per optimizer step and per evaluation, written as they happen. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../../../src/files/atomic-file.js';

/** A line of the file. */
export type MetricsRecord = Readonly<Record<string, string | number | boolean>> & { readonly step: number };

/** The name of the file in a run's directory. */
export const METRICS_FILE = 'metrics.jsonl';

/** An open metrics file. */
export class MetricsLog {
  /** What earlier starts of the run have written. */
  readonly earlier: readonly MetricsRecord[];
  readonly #file: FileHandle;

  private constructor(file: FileHandle, earlier: readonly MetricsRecord[]) {
    this.#file = file;
    this.earlier = earlier;
  }

  /** Opens the file, dropping what was written after `throughStep`: a resumed run writes those steps again. */
  static async open(path: string, throughStep: number): Promise<MetricsLog> {
    const kept = (await readMetrics(path)).filter(({ step }) => step <= throughStep);
    await writeFileAtomic(path, kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
    return new MetricsLog(await open(path, 'a'), kept);
  }

  /** Appends a line. */
  async write(record: MetricsRecord): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(record)}\n`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The records of a metrics file; none when there is no file. Half a line, as a killed run may leave it, is passed over. */
export async function readMetrics(path: string): Promise<readonly MetricsRecord[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => recordOf(line) ?? []);
}

function recordOf(line: string): MetricsRecord | undefined {
  try {
    const record = JSON.parse(line) as MetricsRecord | null;
    return typeof record?.step === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}
