/**
 * A gateway in a process of its own that dies at a write of its audit log: `BACKBONE STATE-DIR
 * WRITE MOMENT`. Everything is real but the moment of its death.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { startTestGateway } from './test-gateway.js';

/** When it dies: before any byte, in the middle of a line, before the flush, after it. */
export type Moment = 'before' | 'middle' | 'written' | 'flushed';

const [backboneDir, stateDir, write, moment] = process.argv.slice(2) as [string, string, string, Moment];
let left = Number(write);

/** Answers that do not wait for their entry have left by then. */
async function die(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await setImmediate();
  process.kill(process.pid, 'SIGKILL');
}

const probe = join(stateDir, 'probe');
const handle = await open(probe, 'w');
const files = Object.getPrototypeOf(handle) as FileHandle; // what every open file has its methods from
await handle.close();
await rm(probe);
const { appendFile, datasync } = files;
let dying = false;
files.appendFile = async function (this: FileHandle, text: string) {
  dying = left-- === 0;
  if (dying && moment === 'before') await die();
  if (dying && moment === 'middle') {
    await appendFile.call(this, text.slice(0, -20));
    await die();
  }
  await appendFile.call(this, text);
} as FileHandle['appendFile'];
files.datasync = async function (this: FileHandle) {
  if (dying && moment === 'written') await die();
  await datasync.call(this);
  if (dying) await die();
};

const running = await startTestGateway({ backboneDir, start: { stateDir, insecure: true, audit: join(stateDir, 'audit') } });
process.send!(running.gateway.listen);
