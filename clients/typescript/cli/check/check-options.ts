/** Options of `cutlayer client check`. */
import { toggle, type ValuesOf } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';

export const checkOptions = {
  ...connectionOptions,
  json: toggle(false, 'one JSON object on standard output'),
};

export type CheckFlags = ValuesOf<typeof checkOptions>;
