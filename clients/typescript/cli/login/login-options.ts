/** Options of `cutlayer client login`, `profiles` and `logout`. */
import { required, toggle, under, type ValuesOf, withDefault } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';
import { DEFAULT_PROFILE, profileName } from '../profile/profile-name.js';

const { bundle, gateway, ca, tokenFile, insecure, signer, verify } = connectionOptions;

export const loginOptions = {
  ...under('Profile', {
    profile: withDefault(profileName('what to call it; commands without --profile take the one called default'), DEFAULT_PROFILE),
    check: toggle(true, 'write it without trying it'),
  }),
  bundle: required(bundle),
  gateway: required(gateway),
  ca,
  tokenFile,
  insecure,
  verify,
  signer,
};

export type LoginFlags = ValuesOf<typeof loginOptions>;

export const logoutOptions = {
  profile: withDefault(profileName('which one to remove'), DEFAULT_PROFILE),
};

export const profilesOptions = {
  json: toggle(false, 'one JSON object on standard output'),
};
