/** The option that takes a connection from a profile. */
import { optional, transient } from '../../../../src/options/option.js';
import { profileName } from './profile-name.js';

export const profileOption = {
  // A run's own file has the values themselves.
  ...transient(optional(profileName('connection that cutlayer client login has written (default: the profile default, if there is one)'))),
  presets: async (name: string | undefined, given: Readonly<Record<string, unknown>>) =>
    (await import('./profile-presets.js')).profilePresets(name, given),
};
