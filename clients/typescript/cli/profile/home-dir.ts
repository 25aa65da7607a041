/** The directory of a person's own profiles, identity and states of federations. */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** `$CUTLAYER_HOME`, else `cutlayer` in the configuration directory of the XDG specification. */
export function homeDir(environment: NodeJS.ProcessEnv = process.env): string {
  const { CUTLAYER_HOME = '', XDG_CONFIG_HOME = '' } = environment;
  if (CUTLAYER_HOME !== '') return resolve(CUTLAYER_HOME);
  return join(isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : join(homedir(), '.config'), 'cutlayer');
}

/** The identity that commands take without --identity. */
export const ownIdentity = (): string => join(homeDir(), 'identity.key');

/** The state of a member in a federation, where --state-dir is not given. @param federation id */
export const ownStateDir = (federation: string): string => join(homeDir(), 'federations', federation);
