/** `log.jsonl` of a participant: its events with their time. Bounded: the older half is dropped when the file has become long. */
import { open, rename, stat } from 'node:fs/promises';
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
  let file = await open(path, 'a', 0o600);
  let bytes = (await stat(path)).size;
  let waiting = 0;
  let last = Promise.resolve();
  const append = async (line: string): Promise<void> => {
    if (bytes > maxBytes) {
      await file.close();
      await rename(path, `${path}.1`);
      file = await open(path, 'a', 0o600);
      bytes = 0;
    }
    await file.appendFile(line);
    bytes += Buffer.byteLength(line);
  };
  return {
    write(event) {
      if (waiting >= MAX_WAITING) return;
      waiting += 1;
      const line = `${JSON.stringify({ at: new Date(now()).toISOString(), ...event })}\n`;
      last = last
        .then(() => append(line))
        .catch(() => undefined)
        .finally(() => {
          waiting -= 1;
        });
    },
    async close() {
      await last;
      await file.close().catch(() => undefined);
    },
  };
}
