/** `cutlayer client login | profiles | logout` */
import { command } from '../../../../src/options/command-spec.js';
import { loginOptions, logoutOptions, profilesOptions } from './login-options.js';

const WHERE = `Profiles are in cutlayer/profiles of the directory for configuration (XDG_CONFIG_HOME, else ~/.config), or in profiles of CUTLAYER_HOME.
Only their owner may read them.`;

export const loginCommand = command({
  options: loginOptions,
  help: `
Checks the connection, as cutlayer client check, and writes it into a profile. Commands take bundle, gateway, CA and token from it.
The CA's certificates are copied; a token of CUTLAYER_TOKEN too. Of bundle, token file and client certificate the paths are kept: a new token is read from the same file.
${WHERE}

Examples:
  Once:
    $ cutlayer client login --bundle model/client-bundle --gateway vendor.example:443 --ca ca.pem --token-file token

  With the file that the vendor made for you:
    $ cutlayer client login --from acme.cutlayer --bundle model/client-bundle

  With credentials, to a gateway that binds tokens to client certificates:
    $ cutlayer client login --bundle model/client-bundle --gateway vendor.example:443 --ca ca.pem \\
        --token-file acme.client --client-cert acme.pem --client-key acme-key.pem

  Then:
    $ cutlayer client check
    $ cutlayer client train --data train.jsonl --out run1

  A second vendor:
    $ cutlayer client login --profile other --bundle other/client-bundle --gateway other.example:443 --token-file other-token
    $ cutlayer client train --profile other --data train.jsonl --out run2`,
  run: async (flags) => (await import('./run-login.js')).runLogin(flags),
});

export const profilesCommand = command({
  options: profilesOptions,
  help: `
${WHERE}

Examples:
  $ cutlayer client profiles
  $ cutlayer client profiles --json`,
  run: async (flags) => (await import('./run-profiles.js')).runProfiles(flags.json),
});

export const logoutCommand = command({
  options: logoutOptions,
  help: `
Removes the profile, and the token when the profile holds it. A token file elsewhere stays, and the token is good until its end.

Examples:
  $ cutlayer client logout
  $ cutlayer client logout --profile other`,
  run: async ({ profile }) => (await import('./run-profiles.js')).runLogout(profile),
});
