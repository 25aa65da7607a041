/** Fields of `POST /v1/feedback`; intake/feedback.ts reads them, as `client improve` does. */
import { z } from 'zod';
import type { FeedbackField } from '../../intake/feedback.js';
import { extension, type Honoured } from './field.js';

const row = (says: string): Honoured => extension(says, z.unknown());

export const feedbackFields: { readonly [Field in FeedbackField]: Honoured } = {
  prompt: row('the text that the completion answers; this or `messages`'),
  messages: row('the conversation that the completion answers, as in a chat request'),
  tools: row('the tools of that conversation'),
  completion: row('the text that was generated'),
  verdict: row('`"accepted"`, `{"corrected": "the right text"}` or `{"rating": 1 to 5}`; one of them'),
  id: row('the id of the completion, at most 200 characters; a later verdict with it replaces this one'),
  task: row('the task, for an adapter with tasks'),
};
