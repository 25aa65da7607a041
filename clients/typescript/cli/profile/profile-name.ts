/** Names of profiles. */
import { parsed } from '../../../../src/options/option.js';

/** The profile that is used when none is named. */
export const DEFAULT_PROFILE = 'default';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A profile's name, which is also that of its directory. */
export const profileName = (description: string) =>
  parsed<string>('name', description, 'expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first', (given) =>
    typeof given === 'string' && NAME.test(given) ? given : undefined,
  );
