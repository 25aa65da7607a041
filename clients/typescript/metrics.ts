/** `metrics.jsonl`: one JSON object per optimizer step and per evaluation, written as they happen. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { writeFileAtomic } from './atomic-file.js';

/** A line of the file. */
export type MetricsRecord = Readonly<Record<string, string | number | boolean>> & { readonly step: number };

/** An open metrics file. */
export class MetricsLog {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Opens the file, dropping what was written after `throughStep`: a resumed run writes those steps again. */
  static async open(path: string, throughStep: number): Promise<MetricsLog> {
    const text = await readFile(path, 'utf8').catch(() => '');
    const kept = text.split('\n').filter((line) => {
      const step = stepOf(line);
      return step !== undefined && step <= throughStep;
    });
    await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(''));
    return new MetricsLog(await open(path, 'a'));
  }

  /** Appends a line. */
  async write(record: MetricsRecord): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(record)}\n`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function stepOf(line: string): number | undefined {
  try {
    const { step } = JSON.parse(line) as { readonly step?: unknown };
    return typeof step === 'number' ? step : undefined;
  } catch {
    // The last line of a killed run may be half a line.
    return undefined;
  }
}
