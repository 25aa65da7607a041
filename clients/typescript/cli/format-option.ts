/** Options that say what the records of a data file are, and how conversations are rendered. */
import { choice, optional, text, withDefault } from '../../../src/options/option.js';
import { type Format, formats } from '../data/formats.js';

export const format = withDefault(
  choice<Format>('name', formats, 'what the records are; auto takes each for what it looks like, and says which dialect it is'),
  'auto',
);

export const chatTemplate = optional(
  text(
    'name',
    "the checkpoint's chat template of this name, for conversations that name none (default: tool_use with tools, else default)",
  ),
);
