/** Options of `cutlayer client generate`. */
import { optional, path, positiveInteger, text, toggle, under, type ValuesOf, withDefault } from '../../../../src/options/option.js';
import { connectionOptions } from '../connection-options.js';
import { defenceOptions } from '../defence-options.js';
import { chatTemplate } from '../format-option.js';
import { beamOptions, withoutBeams } from './beam-options.js';
import { generationOptions } from './generation-options.js';

export const generateOptions = {
  ...connectionOptions,
  ...under('Generation', {
    prompt: optional(text('text', 'the prompt (default: standard input)')),
    chat: toggle(false, "the prompt is a user's message: it goes through the chat template"),
    system: optional(text('text', 'the system message before it; with --chat')),
    messages: optional(path('file', 'a conversation instead of a prompt: a JSON list of {"role", "content"}, or {"messages": [...]}')),
    chatTemplate,
    prompts: optional(path('file', 'a file of prompts: rows of {"prompt"} or {"messages"}, and "id" where it has one; needs --out')),
    out: optional(path('file', 'the answers to --prompts, JSON lines in their order')),
    resume: toggle(false, 'go on with an --out that was begun'),
    batch: withDefault(positiveInteger('n', 'prompts of --prompts at a time'), 8),
    ...withoutBeams(generationOptions),
    ...beamOptions,
  }),
  ...defenceOptions,
};

export type GenerateFlags = ValuesOf<typeof generateOptions>;
