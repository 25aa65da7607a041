/** Checks that a server could open what its configuration names; changes nothing. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CutlayerError } from '../errors.js';
import { KeyRing } from './auth/key-ring.js';
import type { SharedKeys } from './auth/open-auth.js';
import type { ListeningConfig } from './security.js';
import { openStateDir } from './state-files.js';
import { openOwnCertificate } from './tls/open-tls.js';

/** Checks certificate, keys and state directory. @throws CutlayerError IO_ERROR, INVALID_CONFIG */
export async function checkServerFiles(config: ListeningConfig & SharedKeys): Promise<void> {
  if (!config.insecure) await openOwnCertificate(config);
  if (config.keysDir !== undefined && (await exists(config.keysDir))) {
    await openStateDir(config.keysDir);
    await KeyRing.openExisting(config.keysDir);
  }
  const stateDir = resolve(config.stateDir);
  if (await exists(stateDir)) {
    await openStateDir(stateDir);
    await KeyRing.openExisting(stateDir);
    return;
  }
  let parent = dirname(stateDir);
  while (!(await exists(parent)) && parent !== dirname(parent)) parent = dirname(parent);
  const isDirectory = await stat(parent).then((info) => info.isDirectory());
  try {
    if (!isDirectory) throw new Error(`${parent} is no directory`);
    await access(parent, constants.W_OK);
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `state directory ${stateDir}: cannot be made in ${parent}; choose another with --state-dir`, {
      cause,
    });
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
