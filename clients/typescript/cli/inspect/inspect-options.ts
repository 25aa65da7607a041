/** Options of `cutlayer client inspect`. */
import { nonNegativeInteger, optional, path, toggle, type ValuesOf, withDefault } from '../../../../src/options/option.js';
import { signerOption } from '../../../../src/options/signer-option.js';

export const inspectOptions = {
  bundle: optional(path('dir', 'client bundle: also check that the adapter fits it, and find the tokens nearest to a soft prompt')),
  nearest: withDefault(nonNegativeInteger('n', 'nearest tokens of each virtual token; 0: none'), 3),
  verify: toggle(true, "skip the digest of the bundle's weights file"),
  signer: signerOption("the bundle's"),
  json: toggle(false, 'one JSON object on standard output'),
};

export type InspectFlags = ValuesOf<typeof inspectOptions>;
