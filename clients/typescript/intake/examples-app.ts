/**
 * The HTTP interface of a process that trains, for programs on the same machine: `POST
 * /v1/examples` hands examples in, `GET /v1/status` tells where it is. It listens on loopback only.
 * Origin, Host (of a rebound name) and token keep web pages out. Only the answer to the sender of
 * an example says anything of it; nothing is logged.
 */
import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { CutlayerError, errorTable } from '../../../src/errors.js';
import type { ExampleSink } from './admission.js';
import { answerTo } from './admission-answer.js';
import { checkBearer } from './examples-token.js';
import { requestLines } from './request-lines.js';

/** Most bytes of a request. */
export const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
/** Requests under way; more are asked to come again. */
const MAX_REQUESTS = 16;

export interface ExamplesAppOptions {
  readonly sink: ExampleSink;
  readonly token: string;
  /** What `GET /v1/status` tells beside the counts: numbers and names, no text. */
  readonly status: () => object;
  /** Values of the Host header that are this port's own. */
  readonly hosts: () => ReadonlySet<string>;
  /** Told of failures that are not the caller's. */
  readonly onFailure?: ((error: CutlayerError) => void) | undefined;
}

/** Builds the app; nothing listens yet. */
export function createExamplesApp({ sink, token, status, hosts, onFailure }: ExamplesAppOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  let underWay = 0;
  app.use((request, response, next) => {
    response.set({ 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' });
    if (!hosts().has((request.headers.host ?? '').toLowerCase())) {
      throw new CutlayerError('ORIGIN_REFUSED', 'host: expected 127.0.0.1 or localhost with this port');
    }
    if (request.headers.origin !== undefined) throw new CutlayerError('ORIGIN_REFUSED', 'origin: web pages may not use this port');
    checkBearer(request.headers.authorization, token);
    next();
  });
  const limited: RequestHandler = (_request, response, next) => {
    if (underWay >= MAX_REQUESTS) {
      response.set('Retry-After', '1');
      throw new CutlayerError('QUEUE_FULL', `requests: ${MAX_REQUESTS} are under way; send this one again in a second`);
    }
    underWay += 1;
    response.once('close', () => {
      underWay -= 1;
    });
    next();
  };
  const body = express.raw({ type: () => true, limit: MAX_REQUEST_BYTES, inflate: false });
  const taking =
    (take: ExampleSink['admit']): RequestHandler =>
    async (request, response) => {
      const bytes: unknown = request.body;
      const lines = requestLines(bytes instanceof Uint8Array ? bytes : new Uint8Array(), request.headers['content-type']);
      const { status, body: answer } = answerTo(await take(lines));
      response.status(status).json(answer);
    };
  app.post(
    '/v1/examples',
    limited,
    body,
    taking((lines) => sink.admit(lines)),
  );
  const { feedback } = sink;
  if (feedback !== undefined)
    app.post(
      '/v1/feedback',
      limited,
      body,
      taking((lines) => feedback.call(sink, lines)),
    );
  app.get('/v1/status', (_request, response) => {
    response.json({ ...status(), data: sink.counts });
  });
  app.use(() => {
    throw new CutlayerError(
      'NOT_FOUND',
      `path: expected POST /v1/examples${feedback === undefined ? '' : ', POST /v1/feedback'} or GET /v1/status`,
    );
  });
  const onError: ErrorRequestHandler = (caught: unknown, _request, response, _next) => {
    const error = CutlayerError.from(requestProblem(caught) ?? caught);
    if (errorTable[error.code].http >= 500) onFailure?.(error);
    if (error.code === 'TOKEN_MISSING' || error.code === 'TOKEN_INVALID') response.set('WWW-Authenticate', 'Bearer');
    response.status(errorTable[error.code].http).json({ error: error.toRecord() });
  };
  app.use(onError);
  return app;
}

/** What express found wrong with a request. */
function requestProblem(caught: unknown): CutlayerError | undefined {
  if (!(caught instanceof Error && 'status' in caught && typeof caught.status === 'number')) return undefined;
  if (caught.status === 413) {
    return new CutlayerError('MESSAGE_TOO_LARGE', `body: expected at most ${MAX_REQUEST_BYTES} bytes; send several requests`);
  }
  if (caught.status === 415) return new CutlayerError('INVALID_ARGUMENT', 'content-encoding: expected none');
  return caught.status < 500 ? new CutlayerError('INVALID_ARGUMENT', 'request: malformed') : undefined;
}
