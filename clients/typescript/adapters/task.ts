/** Which of an adapter's tasks a batch or a prompt belongs to. */
import { CutlayerError } from '../../../src/errors.js';
import type { Adapter } from './adapter.js';

/**
 * The task id for an adapter's parts; undefined without tasks, whatever id the data has.
 * @param task Its id, or its name.
 * @throws CutlayerError INVALID_ARGUMENT for a missing or unknown task, or a name without tasks
 */
export function taskOf(adapter: Pick<Adapter, 'tasks'> | undefined, task: number | string | undefined): number | undefined {
  const tasks = adapter?.tasks;
  if (tasks === undefined && typeof task === 'string') {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `task: ${adapter === undefined ? 'the bare model' : 'this adapter'} has no tasks; leave the task out, got ${task.slice(0, 40)}`,
    );
  }
  if (tasks === undefined) return undefined;
  const id = typeof task === 'string' ? tasks.indexOf(task) : task;
  if (id !== undefined && Number.isSafeInteger(id) && id >= 0 && id < tasks.length) return id;
  const got = task === undefined ? 'none' : String(task).slice(0, 40);
  throw new CutlayerError(
    'INVALID_ARGUMENT',
    `task: this adapter was made for the tasks ${tasks.join(', ')}; expected one of them, got ${got}`,
  );
}
