/**
 * `cutlayer gateway start | config | token | cert | onboard`: flags and help. Work is imported when
 * it runs.
 */
import { gatewayOptions } from '../../gateway/config.js';
import { boundToOption } from '../../options/client-certificate-options.js';
import { command } from '../../options/command-spec.js';
import { integerBetween, path, required, text, toggle, withDefault } from '../../options/option.js';
import { checkOption, configCommand } from '../config-command.js';
import { onboardOptions } from './onboard-options.js';

export const startCommand = command({
  options: {
    ...gatewayOptions,
    ...checkOption,
  },
  configFile: true,
  help: `
Examples:
  Serve a packed backbone on this machine, with a development certificate:
    $ cutlayer pack ./my-checkpoint --out ./packed
    $ cutlayer gateway start --backbone ./packed/backbone

  Serve it to others, with a real certificate:
    $ cutlayer gateway start --backbone ./packed/backbone --listen 0.0.0.0:443 \\
        --tls-cert fullchain.pem --tls-key privkey.pem

  Trust the tokens of an identity provider instead of the gateway's own:
    $ cutlayer gateway start --backbone ./packed/backbone \\
        --issuer https://id.example --audience cutlayer --jwks-url https://id.example/.well-known/jwks.json

  The same from a file; check it first:
    $ cutlayer gateway config --backbone ./packed/backbone --workers 2 > gateway.yaml
    $ cutlayer gateway start --config gateway.yaml --check
    $ cutlayer gateway start --config gateway.yaml

Clients need the address, a token (cutlayer gateway token) and, with a development certificate, the file ca.pem of the state directory.
SIGTERM and SIGINT finish what is in flight and exit.`,
  run: async ({ check, ...config }) => (await import('./run-gateway-start.js')).runGatewayStart(config, { check }),
});

export const tokenCommand = command({
  options: {
    tenant: required(text('name', 'whose token: 1 to 64 of [A-Za-z0-9._-]')),
    scope: withDefault(text('scopes', 'what it allows'), 'model:read train infer'),
    ttl: withDefault(text('time', 'how long it lives: 90s, 15m, 24h or 30d'), '30d'),
    clientCert: boundToOption,
    stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
    keysDir: { ...gatewayOptions.keysDir, text: 'its --keys-dir, where it has one', group: 'Options' },
  },
  help: `
Examples:
  A token for one tenant, for 30 days, kept in a file that only its owner may read:
    $ (umask 077; cutlayer gateway token --tenant acme > acme.token)

  One that may run the backbone but not train through it:
    $ cutlayer gateway token --tenant acme --scope "model:read infer" --ttl 24h

The token is printed bare. It is a secret: its holder is that tenant.`,
  async run({ tenant, scope, ttl, clientCert, stateDir, keysDir }) {
    const [{ printToken }, { parseScopes }] = await Promise.all([import('../print-token.js'), import('../../server/auth/scopes.js')]);
    await printToken('gateway', { tenant, scopes: parseScopes(scope), ttl, clientCert, stateDir, keysDir });
  },
});

export const certCommand = command({
  options: {
    out: required(path('file', 'the new files without their endings: FILE.pem, and FILE-key.pem for its owner only')),
    days: withDefault(integerBetween(1, 825, 'n', 'how long it is good'), 90),
    stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  },
  help: `
Examples:
  A certificate for one customer, and a gateway that takes tokens over such connections only:
    $ cutlayer gateway cert acme --out acme
    $ cutlayer gateway start --backbone ./packed/backbone --client-ca ~/.cutlayer/gateway/ca.pem

  A token that is void without it:
    $ (umask 077; cutlayer gateway token --tenant acme --client-cert acme.pem > acme.token)`,
  run: async (flags, { words }) => (await import('./run-cert.js')).runCert(words[0]!, flags),
});

const storeOptions = {
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  database: { ...gatewayOptions.database, group: 'Options' },
  keysDir: { ...gatewayOptions.keysDir, text: 'its --keys-dir, where it has one', group: 'Options' },
};

export const backupCommand = command({
  options: storeOptions,
  help: `
The file has the tables as they were at one moment, and keys and certificates of the state directory. It has mode 0600; no file is replaced.
Signing keys of --keys-dir are in it too; the directory is known while the gateway runs, else it is given. The gateway may run. The audit log is not in it: copy the directory audit/ too.

Examples:
  $ cutlayer gateway backup gateway-2026-01-31.backup
  $ cutlayer gateway backup gateway.backup --database 'postgres://cutlayer@db.example/cutlayer'`,
  run: async (flags, { words }) => (await import('./run-backup.js')).backupGateway(words[0]!, flags),
});

export const restoreCommand = command({
  options: { ...storeOptions, force: toggle(false, 'replace a database and files that are there') },
  help: `
The file is verified first. No gateway may run on the database. A backup of either engine can be restored into the other.
Signing keys go to --keys-dir, or without it to the state directory.

Examples:
  Put a backup back on a new machine:
    $ cutlayer gateway restore gateway.backup

  Move from the file to PostgreSQL:
    $ cutlayer gateway backup gateway.backup
    $ cutlayer gateway restore gateway.backup --force --database 'postgres://cutlayer@db.example/cutlayer'`,
  run: async (flags, { words }) => (await import('./run-backup.js')).restoreGateway(words[0]!, flags),
});

export const onboardCommand = command({
  options: onboardOptions,
  help: `
Registers a client of the tenant, and encloses its key: with it the customer's programs ask for tokens of some minutes, and renew them.
The file is a secret: send it over a channel that only the customer reads. It has mode 0600, and no file is replaced.
Use it with the gateway's own tokens, not with those of --issuer.

Examples:
  $ cutlayer gateway onboard acme --out acme.cutlayer --address vendor.example:443 \\
      --token-url https://vendor.example:8080/oauth2/token \\
      --bundle ./packed/client-bundle --bundle-url https://vendor.example/client-bundle.tar.gz

  For a gateway with --client-ca:
    $ cutlayer gateway onboard acme --out acme.cutlayer --address vendor.example:443 \\
      --token-url https://vendor.example:8080/oauth2/token --client-certificate

The customer then runs:
    $ cutlayer client login --from acme.cutlayer --bundle ./client-bundle`,
  run: async (flags, { words }) => (await import('./run-onboard.js')).runOnboard(words[0]!, flags),
});

export const showCommand = configCommand('gateway start', gatewayOptions);
