/** A log whose errors come once a minute at most: what is tried each second fails each second. */
import { CutlayerError } from '../errors.js';
import { RareLine } from '../server/observability/rare-line.js';
import type { CoordinatorLog } from './rounds/federation-context.js';

const LINE_EVERY_MS = 60_000;

/** Kinds of errors that are told apart; the oldest is forgotten first. */
const MAX_KINDS = 1024;

/**
 * The same log. An error's line is left out when one of its message, code and federation was
 * written in the last minute. The next line says how many were left out, as `unsaid`.
 * @param now milliseconds
 */
export function rareErrors(log: CoordinatorLog, now: () => number = () => performance.now()): CoordinatorLog {
  const kinds = new Map<string, RareLine>();
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error(fields, message) {
      const { federation = '', err } = fields as { readonly federation?: string; readonly err?: unknown };
      const kind = JSON.stringify([message, federation, err === undefined ? '' : CutlayerError.from(err).code]);
      const line = kinds.get(kind) ?? new RareLine(LINE_EVERY_MS, now);
      kinds.set(kind, line);
      if (kinds.size > MAX_KINDS) kinds.delete(kinds.keys().next().value!);
      const unsaid = line.due();
      if (unsaid !== undefined) log.error({ ...fields, unsaid }, message);
    },
  };
}
