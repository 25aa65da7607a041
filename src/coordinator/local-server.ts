/** The file that tells commands of the same machine how to reach a coordinator. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';
import { readStateFile, writeStateFile } from '../server/state-files.js';

const FILE = 'server.json';

const localServerSchema = z.object({
  /** `host:port`, as this machine reaches it. */
  address: z.string().min(1),
  /** Authority of its certificate; null with an own certificate, or without TLS. */
  caFile: z.string().nullable(),
  insecure: z.boolean(),
  pid: z.int(),
});

/** The address of a coordinator. */
export type LocalServer = z.output<typeof localServerSchema>;

/** Writes the file. @throws CutlayerError IO_ERROR */
export function writeLocalServer(dir: string, server: LocalServer): Promise<void> {
  return writeStateFile(dir, FILE, `${JSON.stringify(server)}\n`);
}

/** Removes the file, unless a later coordinator has written its own. */
export async function removeLocalServer(dir: string, pid: number): Promise<void> {
  if ((await readLocalServer(dir).catch(() => undefined))?.pid === pid) await rm(join(dir, FILE), { force: true });
}

/** Undefined when no coordinator runs there. @throws CutlayerError IO_ERROR */
export async function readLocalServer(dir: string): Promise<LocalServer | undefined> {
  const text = await readStateFile(dir, FILE);
  if (text === undefined) return undefined;
  try {
    return localServerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${FILE} in ${dir}: expected what coordinator serve writes, got something else; remove it`, {
      cause,
    });
  }
}
