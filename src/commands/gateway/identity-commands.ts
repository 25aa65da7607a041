/** `cutlayer gateway client add | list | disable` and `gateway keys rotate`: flags and help. */
import { gatewayOptions } from '../../gateway/config.js';
import { webAddress } from '../../options/address.js';
import { command } from '../../options/command-spec.js';
import { choice, optional, path, text, toggle, withDefault } from '../../options/option.js';
import { adminTokenOption } from './admin-token-option.js';

const place = {
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  database: { ...gatewayOptions.database, text: 'its database, where no gateway runs (default: gateway.db there)', group: 'Options' },
  tokenFile: adminTokenOption,
  audit: { ...gatewayOptions.audit, text: "the gateway's --audit, where none runs", group: 'Options' },
};
const keysDir = { ...gatewayOptions.keysDir, text: 'its --keys-dir, where it has one', group: 'Options' };
const format = withDefault(choice('format', ['text', 'json'], 'how it is printed'), 'text');

export const addClientCommand = command({
  options: {
    out: optional(path('file', 'new file for the client: its id, the token endpoint and a new private key')),
    tokenUrl: optional(webAddress('the token endpoint as the client reaches it (default: that of the running gateway)')),
    publicKey: optional(path('file', 'JWK, or JWK set, of a client that has a key; instead of a new key')),
    secret: toggle(false, 'a client secret in place of a key; for development'),
    scope: withDefault(text('scopes', 'what its tokens may allow'), 'model:read train infer'),
    ...place,
    keysDir,
  },
  help: `
Examples:
  A client with a new key, in a file that the customer uses in place of a token:
    $ cutlayer gateway client add acme --out acme.client --token-url https://vendor.example:8080/oauth2/token

  A client that has made its key itself:
    $ cutlayer gateway client add acme --public-key acme.jwk

The file with the key is a secret: its holder is that tenant.`,
  run: async (flags, { words }) => (await import('./run-client.js')).addClient(words[0]!, flags),
});

export const listClientsCommand = command({
  options: { tenant: optional(text('name', 'only its clients')), format, ...place },
  help: `
Examples:
    $ cutlayer gateway client list --tenant acme --format json`,
  run: async (flags) => (await import('./run-client.js')).listClients(flags),
});

export const disableClientCommand = command({
  options: place,
  help: `
Examples:
    $ cutlayer gateway client disable client_3f2a9c`,
  run: async (flags, { words }) => (await import('./run-client.js')).disableClient(words[0]!, flags),
});

export const rotateKeysCommand = command({
  options: {
    dropOld: toggle(false, 'drop the earlier keys: every token of before is void'),
    after: withDefault(text('time', 'when the new key begins to sign, as 90s, 10m or 24h; it verifies, and is in the JWKS, at once'), '0s'),
    stateDir: place.stateDir,
    audit: place.audit,
    keysDir,
  },
  help: `
Examples:
  A new key, while earlier tokens stay good:
    $ cutlayer gateway keys rotate

  A new key that every replica has before one of them signs with it, where the file is copied to them:
    $ cutlayer gateway keys rotate --keys-dir keys --after 10m

  After a key was stolen:
    $ cutlayer gateway keys rotate --drop-old

A running gateway uses the new keys within seconds.`,
  run: async (flags) => (await import('./run-keys.js')).rotateKeys(flags),
});
