/** Options of `cutlayer coordinator invite`. */
import { webAddress } from '../../options/address.js';
import { type OptionTable, optional, path, text, under, type ValuesOf, withDefault } from '../../options/option.js';
import { federationOptions } from './founder-options.js';

export const inviteOptions = {
  ...under('Invite', {
    out: withDefault(path('dir', 'directory for the files NAME.invite'), '.'),
    address: optional(text('host:port', 'where members reach the coordinator (default: as this command reaches it)')),
    ttl: withDefault(text('time', 'how long the token lives: 90s, 15m, 24h or 30d'), '30d'),
    tokenFrom: optional(text('text', "how a member gets a token, where --state-dir holds no keys of the coordinator's", 1024)),
    gateway: optional(text('host:port', "the vendor's gateway, for members without a profile of it")),
    gatewayCa: optional(path('file', "PEM file of the authority behind the gateway's certificate")),
    bundleUrl: optional(webAddress('where members get the client bundle')),
  }),
  ...federationOptions,
} satisfies OptionTable;

export type InviteFlags = ValuesOf<typeof inviteOptions>;
