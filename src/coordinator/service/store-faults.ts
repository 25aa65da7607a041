/** Faults of the coordinator's store: members try again, and only the log tells of files. */
import { CutlayerError, type ErrorCode } from '../../errors.js';
import type { CoordinatorLog } from '../rounds/federation-context.js';

const faults: readonly ErrorCode[] = ['IO_ERROR', 'STORE_CORRUPT', 'STORE_IN_USE', 'STORE_TOO_NEW', 'STORE_TOO_OLD'];

/** What a caller is told of an error: a fault of the store is UNAVAILABLE, others stay. */
export function concealed(caught: unknown, log: Pick<CoordinatorLog, 'error'>): unknown {
  if (!(caught instanceof CutlayerError) || !faults.includes(caught.code)) return caught;
  log.error({ err: caught }, 'the store has failed; callers are told to try again');
  return new CutlayerError('UNAVAILABLE', 'coordinator: its store has failed, and its log says why; try again', { cause: caught });
}
