/** `log.jsonl` of a participant: its events with their time. Bounded: the older half is dropped. */
import { rename } from 'node:fs/promises';
import { Mutex } from 'async-mutex';
import { JsonLines } from '../../../src/files/json-lines.js';
import type { ParticipantEvent } from './participant-events.js';

/** Bytes after which the file becomes `log.jsonl.1`, replacing an earlier one. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Lines that may wait to be written; what comes beyond is dropped rather than kept in memory. */
const MAX_WAITING = 1000;

/** An open log. */
export interface EventLog {
  write(event: ParticipantEvent): void;
  /** Writes what waits. */
  close(): Promise<void>;
}

/** Opens the log for appending. A log that cannot be written is no reason to stop. */
export async function openEventLog(path: string, { maxBytes = MAX_BYTES, now = Date.now } = {}): Promise<EventLog> {
  const begin = (): Promise<JsonLines<object>> => JsonLines.open(path, { mode: 0o600 });
  let file = await begin();
  let waiting = 0;
  const turn = new Mutex();
  const append = async (line: object): Promise<void> => {
    if (file.bytes > maxBytes) {
      await file.close();
      await rename(path, `${path}.1`);
      file = await begin();
    }
    await file.append(line);
  };
  return {
    write(event) {
      if (waiting >= MAX_WAITING) return;
      waiting += 1;
      const line = { at: new Date(now()).toISOString(), ...event };
      void turn
        .runExclusive(() => append(line))
        .catch(() => undefined)
        .finally(() => {
          waiting -= 1;
        });
    },
    async close() {
      await turn.runExclusive(() => file.close()).catch(() => undefined);
    },
  };
}
