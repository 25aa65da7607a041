/** The work of `cutlayer client profiles` and `logout`. */
import { dirname } from 'node:path';
import { stdout } from '../../../../src/files/output.js';
import { findProfile, type Profile, profileNames, profilesDir, removeProfile } from '../profile/profile-store.js';
import { columns } from '../text-layout.js';

/** Lists profiles; of a token only where it is. */
export async function runProfiles(json: boolean): Promise<void> {
  const names = await profileNames();
  const profiles = await Promise.all(names.map(async (name) => [name, await findProfile(name).catch(() => undefined)] as const));
  if (json) {
    stdout.json({
      dir: profilesDir(),
      profiles: profiles.map(([name, profile]) => ({ name, readable: profile !== undefined, ...profile })),
    });
    return;
  }
  if (profiles.length === 0) {
    stdout.line(`no profiles in ${profilesDir()}; make one with cutlayer client login`);
    return;
  }
  const rows = profiles.map(([name, profile]) =>
    profile === undefined ? [name, 'cannot be read: log in again', '', ''] : row(name, profile),
  );
  for (const line of columns([['profile', 'gateway', 'bundle', 'token'], ...rows])) stdout.line(line);
}

function row(name: string, { gateway, bundle, tokenFile }: Profile): readonly string[] {
  const kept = tokenFile !== undefined && dirname(tokenFile).startsWith(profilesDir());
  return [name, gateway, bundle, tokenFile === undefined ? 'none' : kept ? 'in the profile' : tokenFile];
}

/** Removes a profile. @throws CutlayerError NOT_FOUND, IO_ERROR */
export async function runLogout(name: string): Promise<void> {
  await removeProfile(name);
  stdout.line(`removed profile ${name}`);
}
