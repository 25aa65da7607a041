/** The three splits of a run's data: given as files, or cut from one file in a fixed way. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CutlayerError } from '../src/errors.js';

/** The lines of a file that are not empty. */
export function linesOf(path: string): readonly string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}

/** Paths of the three JSONL files. */
export interface Splits {
  readonly train: string;
  readonly validation: string;
  readonly test: string;
}

/**
 * Finds the splits in a directory; or cuts one file, every tenth line to the test split and the
 * line after it to validation.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA
 */
export function findSplits(data: string, workDir: string): Splits {
  if (!existsSync(data)) throw new CutlayerError('NOT_FOUND', `--data ${data}: no such file or directory`);
  const inside = (dir: string): Splits => ({
    train: join(dir, 'train.jsonl'),
    validation: join(dir, 'validation.jsonl'),
    test: join(dir, 'test.jsonl'),
  });
  if (statSync(data).isDirectory()) {
    const splits = inside(data);
    const missing = Object.values(splits).find((path) => !existsSync(path));
    if (missing !== undefined)
      throw new CutlayerError('NOT_FOUND', `--data ${data}: expected train.jsonl, validation.jsonl and test.jsonl; ${missing} is missing`);
    return splits;
  }
  const lines = linesOf(data);
  if (lines.length < 20)
    throw new CutlayerError('INVALID_DATA', `--data ${data}: expected at least 20 lines to cut into splits, got ${lines.length}`);
  mkdirSync(workDir, { recursive: true });
  const splits = inside(workDir);
  const write = (path: string, keep: (remainder: number) => boolean): void =>
    writeFileSync(path, `${lines.filter((_, index) => keep(index % 10)).join('\n')}\n`);
  write(splits.test, (remainder) => remainder === 0);
  write(splits.validation, (remainder) => remainder === 1);
  write(splits.train, (remainder) => remainder > 1);
  return splits;
}

/**
 * Accuracy without learning the task: the share in `task.json` beside the splits. Without it, the
 * accuracy of always answering with the training split's most frequent completion. Null if the rows
 * have no completions.
 * @throws CutlayerError INVALID_DATA when task.json states no share
 */
export function chanceAccuracy(data: string, splits: Splits): number | null {
  const task = join(data, 'task.json');
  if (!existsSync(task)) return constantAnswerAccuracy(splits);
  const { chance } = JSON.parse(readFileSync(task, 'utf8')) as { chance?: unknown };
  if (typeof chance === 'number' && chance >= 0 && chance <= 1) return chance;
  throw new CutlayerError('INVALID_DATA', `${task}: expected "chance" to be a share from 0 to 1, got ${String(chance)}`);
}

function constantAnswerAccuracy({ train, test }: Splits): number | null {
  const completions = (path: string): (string | undefined)[] =>
    linesOf(path).map((line) => (JSON.parse(line) as { completion?: string }).completion);
  const counts = new Map<string, number>();
  for (const completion of completions(train)) if (completion !== undefined) counts.set(completion, (counts.get(completion) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (most === undefined) return null;
  const tests = completions(test);
  return tests.filter((completion) => completion === most).length / tests.length;
}
