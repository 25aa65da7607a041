/** Options of `cutlayer client identity`. */
import { type OptionTable, optional, path, type ValuesOf } from '../../../../src/options/option.js';

export const identityOptions = {
  out: optional(
    path(
      'file',
      'make an identity and write it to this new file, readable by you alone (default: identity.key beside your profiles, made once)',
    ),
  ),
  show: optional(path('file', 'print the public key of this identity')),
} satisfies OptionTable;

export type IdentityFlags = ValuesOf<typeof identityOptions>;
