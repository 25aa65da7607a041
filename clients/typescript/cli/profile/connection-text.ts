/** The flags of a connection, for a command that is printed to be run next. */
import { resolve } from 'node:path';
import type { ConnectionFlags } from '../connection-options.js';
import { profilePresets } from './profile-presets.js';

type Shown = Pick<ConnectionFlags, 'profile' | 'bundle' | 'gateway' | 'ca' | 'tokenFile' | 'clientCert' | 'clientKey' | 'insecure'>;

const flagOf: readonly (readonly [name: Exclude<keyof Shown, 'profile'>, flag: string])[] = [
  ['bundle', '--bundle'],
  ['gateway', '--gateway'],
  ['ca', '--ca'],
  ['tokenFile', '--token-file'],
  ['clientCert', '--client-cert'],
  ['clientKey', '--client-key'],
  ['insecure', '--insecure'],
];

/**
 * The profile that served, and only the flags that it does not give. Each begins with a blank, so
 * that nothing is added where the default profile gives them all.
 */
export async function connectionText(flags: Shown): Promise<string> {
  const absolute = { ...flags, bundle: resolve(flags.bundle) };
  const differs = (presets: Readonly<Record<string, unknown>>) =>
    flagOf.filter(([name]) => absolute[name] !== undefined && absolute[name] !== false && absolute[name] !== presets[name]);
  // What differs from the profile is given by flags; then the profile may give less.
  const own = differs(await presetsOf(flags.profile, {}));
  const rest = differs(await presetsOf(flags.profile, Object.fromEntries(own.map(([name]) => [name, absolute[name]]))));
  const texts = rest.map(([name, flag]) => (name === 'insecure' ? flag : `${flag} ${flags[name]}`));
  return [...(flags.profile === undefined ? [] : [`--profile ${flags.profile}`]), ...texts].map((text) => ` ${text}`).join('');
}

async function presetsOf(
  profile: string | undefined,
  given: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  return (await profilePresets(profile, given))?.values ?? {};
}
