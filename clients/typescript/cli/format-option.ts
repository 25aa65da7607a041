/** The option that says what the records of a data file are. */
import { choice, withDefault } from '../../../src/options/option.js';
import { type Format, formats } from '../data/formats.js';

export const format = withDefault(
  choice<Format>('name', formats, 'what the records are; auto takes each for what it looks like, and says which dialect it is'),
  'auto',
);
