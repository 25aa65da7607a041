/** The fields of every endpoint, for docs/serving.md. */
import { chatFields } from './chat-fields.js';
import { completionFields } from './completion-fields.js';
import { embeddingFields } from './embedding-fields.js';
import { feedbackFields } from './feedback-fields.js';
import type { FieldTable } from './field.js';
import { countFields, messageFields } from './message-fields.js';
import { responseFields } from './response-fields.js';

/** By path. */
export const fieldTables: Readonly<Record<string, FieldTable>> = {
  '/v1/chat/completions': chatFields,
  '/v1/completions': completionFields,
  '/v1/responses': responseFields,
  '/v1/messages': messageFields,
  '/v1/messages/count_tokens': countFields,
  '/v1/embeddings': embeddingFields,
  '/v1/feedback': feedbackFields,
};
