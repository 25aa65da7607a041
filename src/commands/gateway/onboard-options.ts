/** Options of `cutlayer gateway onboard`. */
import { gatewayOptions } from '../../gateway/config.js';
import { webAddress } from '../../options/address.js';
import { optional, path, required, text, toggle, type ValuesOf, withDefault } from '../../options/option.js';

export const onboardOptions = {
  out: required(path('file', 'the new file for the customer, such as acme.cutlayer')),
  address: required(text('host:port', 'where the customer reaches the gateway')),
  bundle: optional(path('dir', 'client bundle of the backbone: the file names it by its digest')),
  bundleUrl: optional(webAddress('where the customer gets the client bundle')),
  scope: withDefault(text('scopes', 'what the token allows'), 'model:read train infer'),
  ttl: withDefault(text('time', 'how long the token lives: 90s, 15m, 24h or 30d'), '30d'),
  ca: optional(path('file', "PEM file of the certificate's authority (default: the development CA of --state-dir)")),
  publicCertificate: toggle(false, 'enclose no CA: an authority that systems trust has signed the certificate'),
  stateDir: { ...gatewayOptions.stateDir, text: 'state directory of the gateway', group: 'Options' },
  keysDir: { ...gatewayOptions.keysDir, text: 'its --keys-dir, where it has one', group: 'Options' },
};

export type OnboardFlags = ValuesOf<typeof onboardOptions>;
