/** `POST /v1/feedback`: what people say of completions, for the `client improve` that learns it. */
import type { RequestHandler } from 'express';
import { CutlayerError } from '../../../src/errors.js';
import type { ExampleSink } from '../intake/admission.js';
import { answerTo } from '../intake/admission-answer.js';
import { requestLines } from '../intake/request-lines.js';

/** Takes lines of feedback; undefined where none is kept. */
export type FeedbackSink = ExampleSink['feedback'];

/** Where the endpoint answers. */
export const FEEDBACK_PATH = '/v1/feedback';

/** Refuses feedback before its body is read where no store is configured. */
export function guardFeedback(sink: FeedbackSink): RequestHandler {
  return (_request, _response, next) => {
    if (sink !== undefined) return next();
    throw new CutlayerError(
      'NOT_FOUND',
      'feedback: this endpoint keeps none; start it with --feedback DIR, the directory of cutlayer client improve',
      { details: { code: 'feedback_not_configured' } },
    );
  };
}

/** Hands a request's feedback to its sink, which has it on disk before the answer. */
export function takeFeedback(sink: FeedbackSink): RequestHandler {
  return async (request, response) => {
    const bytes: unknown = request.body;
    const lines = requestLines(bytes instanceof Uint8Array ? bytes : new Uint8Array(), request.headers['content-type']);
    const { status, body } = answerTo((await sink?.(lines)) ?? []);
    response.status(status).json(body);
  };
}
