/** Refusals of steps that are too large for their time or for the memory of one run. */
import { CutlayerError } from '../../errors.js';

/**
 * Requires that a run can end before its call's deadline; a run that was never measured can.
 * @throws CutlayerError DEADLINE_EXCEEDED with rows, the estimate and the time left
 */
export function requireTime(run: { readonly rows: number; readonly estimateMs: number | undefined; readonly leftMs: number }): void {
  const { rows, estimateMs, leftMs } = run;
  if (estimateMs === undefined || estimateMs <= leftMs) return;
  const [takes, left] = [estimateMs, Math.max(0, leftMs)].map((ms) => `${(ms / 1000).toPrecision(3)} s`);
  throw new CutlayerError(
    'DEADLINE_EXCEEDED',
    `deadline: ${rows} rows take at least ${takes} here, ${left} are left; send smaller batches, or allow the call more time`,
    { details: { rows, estimateMs: Math.ceil(estimateMs), leftMs: Math.max(0, Math.floor(leftMs)) } },
  );
}

/**
 * Requires that a run fits the memory of one run.
 * @throws CutlayerError LIMIT_EXCEEDED with rows and bytes
 */
export function requireMemory(run: { readonly rows: number; readonly workBytes: number; readonly limitBytes: number }): void {
  const { rows, limitBytes } = run;
  const workBytes = Math.ceil(run.workBytes);
  if (workBytes <= limitBytes) return;
  const fitting = Math.floor((rows * limitBytes) / workBytes);
  throw new CutlayerError(
    'LIMIT_EXCEEDED',
    `step: ${rows} rows need about ${workBytes} bytes to train through, one run may have ${limitBytes}; send at most ${fitting} rows, or raise --memory`,
    { details: { rows, bytes: workBytes, limit: limitBytes } },
  );
}
