/** Fields of `POST /v1/embeddings`. */
import { commonFields } from './chat-fields.js';
import { completionFields } from './completion-fields.js';
import { extension, honoured, refused } from './field.js';
import { oneOf, text } from './values.js';

export const embeddingFields = {
  model: commonFields.model,
  input: honoured('a text, up to 64 texts, token ids, or lists of them', completionFields.prompt.schema),
  encoding_format: honoured('`float` or `base64` (little-endian float32)', oneOf('float', 'base64')),
  pooling: extension('`mean` of all rows (default), or the `last` row', oneOf('mean', 'last')),
  task: extension('the task, for an adapter with tasks', text),
  dimensions: refused('an embedding has the size of the hidden states'),
  user: commonFields.user,
};
