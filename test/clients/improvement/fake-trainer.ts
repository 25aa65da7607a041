/** A trainer without a model: an adapter is the list of completions that it has seen. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Trainer, TrainingTask } from '../../../clients/typescript/improvement/trainer.js';
import type { ExampleScore } from '../../../clients/typescript/inference/evaluate.js';

/** What a test may do in the midst of the work, such as copying the directory as a kill leaves it. */
export interface Hooks {
  train?: (task: TrainingTask) => Promise<void>;
  measure?: (adapterDir: string) => Promise<void>;
}

const FILE = 'known.json';

/** Token ids are the completion's characters; an example is right when its completion was seen. */
export class FakeTrainer implements Trainer {
  backboneDigest = 'b'.repeat(64);
  recipe = 'recipe';
  /** Completions that a run unlearns. */
  forgets: readonly string[] = [];
  readonly hooks: Hooks = {};
  readonly tasks: TrainingTask[] = [];

  read(record: string, source: string) {
    const value = JSON.parse(record) as { readonly prompt?: string; readonly completion?: string };
    if (typeof value.completion !== 'string') return { reason: 'expected prompt + completion' };
    const tokenIds = Int32Array.from(value.completion, (character) => character.charCodeAt(0));
    const example = { tokenIds, labelMask: new Uint8Array(tokenIds.length).fill(1), promptLength: 0, source };
    return { content: JSON.stringify([value.prompt, value.completion]), examples: [example] };
  }

  async first(dir: string): Promise<void> {
    await save(dir, []);
  }

  async train(task: TrainingTask): Promise<string | undefined> {
    this.tasks.push(task);
    await this.hooks.train?.(task);
    if (task.signal.aborted) return undefined;
    const seen = task.examples.map(({ tokenIds }) => String.fromCharCode(...tokenIds));
    const known = [...new Set([...(await load(task.from)), ...seen])].filter((completion) => !this.forgets.includes(completion));
    const dir = join(task.runDir, 'adapter');
    await save(dir, known);
    return dir;
  }

  async measure(adapterDir: string, examples: Parameters<Trainer['measure']>[1]): Promise<readonly ExampleScore[]> {
    await this.hooks.measure?.(adapterDir);
    const known = await load(adapterDir);
    return examples.map(({ tokenIds }) => {
      const right = known.includes(String.fromCharCode(...tokenIds));
      return { lossSum: right ? 0.1 : 2, targets: 1, correct: right ? 1 : 0, exact: right };
    });
  }
}

async function load(dir: string): Promise<readonly string[]> {
  return JSON.parse(await readFile(join(dir, FILE), 'utf8')) as string[];
}

async function save(dir: string, known: readonly string[]): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, FILE), JSON.stringify(known));
}
