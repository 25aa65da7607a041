/** Options that say which bundle, which gateway and how to get in. */
import { clientCertificateOptions } from '../../../src/options/client-certificate-options.js';
import {
  choice,
  optional,
  path,
  positiveInteger,
  positiveNumber,
  required,
  text,
  toggle,
  under,
  type ValuesOf,
  withDefault,
} from '../../../src/options/option.js';
import { signerOption } from '../../../src/options/signer-option.js';
import { type WireDType, wireDTypeNames } from '../../../src/protocol/wire/wire-dtype.js';
import { profileOption } from './profile/profile-option.js';

export const connectionOptions = under('Model and gateway', {
  profile: profileOption,
  bundle: required(path('dir', 'client bundle that the vendor gave you (cutlayer pack writes it)')),
  gateway: required(text('host:port', "the vendor's gateway")),
  ca: optional(path('file', "PEM file of the authority behind the gateway's certificate (default: the system's)")),
  tokenFile: optional(path('file', 'file with your access token (default: the environment variable CUTLAYER_TOKEN)')),
  ...clientCertificateOptions('gateway'),
  attestationPolicy: optional(
    path('file', "what the gateway's code must prove to be before a row is sent, YAML; see docs/privacy.md (default: nothing is proved)"),
  ),
  insecure: toggle(false, 'plain text instead of TLS; only for a gateway on this machine'),
  wire: withDefault(
    choice<WireDType>('type', wireDTypeNames, 'numbers on the wire: f32 is exact; f16 and bf16 halve the bytes, int8 quarters them'),
    'f32',
  ),
  shareText: toggle(true, 'send text that all sequences of a batch begin with again in each of them'),
  deadline: withDefault(positiveNumber('seconds', 'deadline of each call'), 120),
  retryFor: withDefault(positiveNumber('seconds', 'how long to wait for a gateway that has gone away'), 300),
  threads: optional(positiveInteger('n', "threads for the client's own graphs (default: all cores)")),
  verify: toggle(true, "skip the digest of the bundle's weights file"),
  signer: signerOption("the bundle's"),
});

export type ConnectionFlags = ValuesOf<typeof connectionOptions>;
