/** Options of `cutlayer client login`, `profiles` and `logout`. */
import { type OptionRow, optional, path, toggle, under, type ValuesOf, withDefault } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';
import { DEFAULT_PROFILE, profileName } from '../profile/profile-name.js';

const { bundle, gateway, ca, tokenFile, clientCert, clientKey, insecure, signer, verify } = connectionOptions;

/** Rows that say what the vendor's file says. */
function withoutFile<T>(row: OptionRow<T>): OptionRow<T> {
  return { ...row, idle: ({ from }) => (from === undefined ? undefined : 'the file of --from says it') };
}

export const loginOptions = {
  ...under('Profile', {
    profile: withDefault(profileName('what to call it; commands without --profile take the one called default'), DEFAULT_PROFILE),
    from: optional(path('file', 'file that the vendor made with cutlayer gateway onboard: gateway, CA, how to get in, and which bundle')),
    check: toggle(true, 'write it without trying it'),
  }),
  bundle: optional(bundle),
  gateway: withoutFile(optional(gateway)),
  ca: withoutFile(ca),
  tokenFile: withoutFile(tokenFile),
  clientCert,
  clientKey,
  insecure: withoutFile(insecure),
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
