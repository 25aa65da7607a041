/** Options of `cutlayer gateway onboard`. */
import { gatewayOptions } from '../../gateway/config.js';
import { webAddress } from '../../options/address.js';
import { integerBetween, optional, path, required, text, toggle, type ValuesOf, withDefault } from '../../options/option.js';
import { adminTokenOption } from './admin-token-option.js';

const onlyWith = (name: string, why: string) => (values: Readonly<Record<string, unknown>>) =>
  values[name] === true ? undefined : `the file ${why}`;

export const onboardOptions = {
  out: required(path('file', 'the new file for the customer, such as acme.cutlayer')),
  address: required(text('host:port', 'where the customer reaches the gateway')),
  bundle: optional(path('dir', 'client bundle of the backbone: the file names it by its digest')),
  bundleUrl: optional(webAddress('where the customer gets the client bundle')),
  scope: withDefault(text('scopes', 'what its tokens may allow'), 'model:read train infer'),
  tokenUrl: optional(webAddress('the token endpoint as the customer reaches it (default: that of the running gateway)')),
  clientCertificate: toggle(false, "enclose a client certificate of the state directory's authority, for a gateway with --client-ca"),
  days: {
    ...withDefault(integerBetween(1, 825, 'n', 'how long that certificate is good'), 90),
    idle: onlyWith('clientCertificate', 'has no certificate without --client-certificate'),
  },
  staticToken: toggle(false, 'a token that ends, in place of a key with which the customer asks for tokens'),
  ttl: {
    ...withDefault(text('time', 'how long that token lives: 90s, 15m, 24h or 30d'), '30d'),
    idle: onlyWith('staticToken', 'has no end without --static-token'),
  },
  ca: optional(path('file', "PEM file of the certificate's authority (default: the development CA of --state-dir)")),
  publicCertificate: toggle(false, 'enclose no CA: an authority that systems trust has signed the certificate'),
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  keysDir: { ...gatewayOptions.keysDir, text: 'its --keys-dir, where it has one', group: 'Options' },
  database: { ...gatewayOptions.database, text: 'its database, where no gateway runs (default: gateway.db there)', group: 'Options' },
  tokenFile: adminTokenOption,
  audit: { ...gatewayOptions.audit, text: "the gateway's --audit, where none runs", group: 'Options' },
};

export type OnboardFlags = ValuesOf<typeof onboardOptions>;
