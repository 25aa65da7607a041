/** Options of `cutlayer client chat`. */
import { optional, text, under, type ValuesOf } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';
import { defenceOptions } from '../defence-options.js';
import { chatTemplate } from '../format-option.js';
import { generationOptions } from '../generate/generation-options.js';

export const chatOptions = {
  ...connectionOptions,
  ...under('Generation', {
    system: optional(text('text', 'the system message')),
    chatTemplate,
    ...generationOptions,
  }),
  ...defenceOptions,
};

export type ChatFlags = ValuesOf<typeof chatOptions>;
