/** Options of `cutlayer client versions`. */
import { type OptionTable, optional, path, toggle, type ValuesOf } from '../../../../src/options/option.js';

export const versionsOptions = {
  stateDir: optional(path('dir', 'the same as the word: state directory of cutlayer client improve or federate; it may be running')),
  json: toggle(false, 'one JSON object, with all metrics and who took part'),
} satisfies OptionTable;

export type VersionsFlags = ValuesOf<typeof versionsOptions>;
