/**
 * Lines of calls: at debug those that went well; at info those refused, at warn those that failed
 * here.
 */
import type { ErrorCode } from '../../errors.js';
import type { EndedCall, RefusedCall } from '../rpc/call-recorder.js';
import type { Logger } from './log.js';
import { RareLine } from './rare-line.js';

/** Codes whose cause is at the server. */
const ours: readonly string[] = [
  'INTERNAL',
  'WORKER_CRASHED',
  'OUT_OF_MEMORY',
  'AUDIT_UNAVAILABLE',
  'IO_ERROR',
  'STORE_CORRUPT',
] satisfies ErrorCode[];
/** Calls that do not go well have one line in this time at most: anyone can make them. */
const LINE_EVERY_MS = 50;

/** Logs calls. Ids, names, codes and sizes only. */
export interface CallLog {
  ended(call: EndedCall): void;
  refused(call: RefusedCall): void;
}

/** @param now milliseconds */
export function callLog(log: Pick<Logger, 'debug' | 'info' | 'warn'>, now: () => number = () => performance.now()): CallLog {
  const line = new RareLine(LINE_EVERY_MS, now);
  const say = (code: string, fields: object): void => {
    if (code === 'OK') {
      log.debug(fields, 'call');
      return;
    }
    const unsaid = line.due();
    if (unsaid !== undefined) log[ours.includes(code) ? 'warn' : 'info']({ ...fields, unsaid }, 'call did not succeed');
  };
  return {
    ended({ call, code, seconds }) {
      const { request, method, principal, outcome } = call;
      const { bytesIn, bytesOut, rows } = outcome;
      say(code, { request, tenant: principal.tenant, method, code, ms: Math.round(seconds * 1000), bytesIn, bytesOut, rows });
    },
    refused: ({ request, tenant, method, code }) => say(code, { request, ...(tenant !== '' && { tenant }), method, code }),
  };
}
