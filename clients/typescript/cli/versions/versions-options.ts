/** Options of `cutlayer client versions`. */
import { type OptionTable, path, required, toggle, type ValuesOf } from '../../../../src/options/option.js';

export const versionsOptions = {
  stateDir: required(path('dir', 'state directory of cutlayer client federate; it may be running')),
  json: toggle(false, 'one JSON object, with all metrics and who took part'),
} satisfies OptionTable;

export type VersionsFlags = ValuesOf<typeof versionsOptions>;
