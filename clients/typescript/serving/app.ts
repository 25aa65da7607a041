/** The endpoint's routes. Nothing of a request or an answer is logged. */
import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { CutlayerError } from '../../../src/errors.js';
import { chatCompletions } from './chat/chat-completions.js';
import { completions } from './completions/completions.js';
import { embeddings } from './embeddings.js';
import type { Endpoint, EndpointContext } from './endpoint.js';
import { FEEDBACK_PATH, type FeedbackSink, guardFeedback, takeFeedback } from './feedback.js';
import { departureOf } from './http/departure.js';
import { type GuardOptions, guardKey, guardOrigin } from './http/guard.js';
import { readBody } from './http/json-body.js';
import type { Place, Places } from './http/places.js';
import { problemOf } from './http/problem.js';
import { MESSAGES_PATH, messageProblem } from './messages/message-problem.js';
import { countTokens, messages } from './messages/messages.js';
import type { GatewayHealth } from './model/gateway-health.js';
import type { ModelCard } from './model/text-model.js';
import { PLAYGROUND_POLICY, playgroundPage } from './playground/page.js';
import { responses } from './responses/responses.js';

/** What the app is made of. */
export interface AppOptions extends GuardOptions, EndpointContext {
  readonly places: Places;
  /** Most bytes of a request. */
  readonly maxBody: number;
  /** Whether the gateway answers, for `/health`. */
  readonly gateway: () => Promise<GatewayHealth>;
  /** What crosses, for the page. */
  readonly note: string;
  /** Where feedback on completions goes; undefined: it is refused. */
  readonly feedback?: FeedbackSink;
  /** Told of failures that are not the client's. */
  readonly onFailure?: ((error: CutlayerError) => void) | undefined;
}

/** Endpoints by their path. */
const endpoints: Readonly<Record<string, Endpoint>> = {
  '/v1/chat/completions': chatCompletions,
  '/v1/completions': completions,
  '/v1/embeddings': embeddings,
  '/v1/responses': responses,
  [MESSAGES_PATH]: messages,
  [`${MESSAGES_PATH}/count_tokens`]: countTokens,
};

/** Builds the app; nothing listens yet. */
export function createServingApp(options: AppOptions): RequestListener {
  const { places, metrics, models } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_request, response, next) => {
    response.set({ 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' });
    next();
  });
  app.use(guardOrigin(options));
  app.get('/health', async (_request, response) => {
    const gateway = await options.gateway();
    const status = places.draining ? 'draining' : gateway.reachable ? 'ok' : 'gateway unreachable';
    response.status(status === 'ok' ? 200 : 503).json({ status, gateway, running: places.running, waiting: places.waiting });
  });
  const page = playgroundPage(options.note);
  app.get('/', (_request, response) => {
    response.set({ 'Content-Security-Policy': PLAYGROUND_POLICY, 'Referrer-Policy': 'no-referrer' }).type('html').send(page);
  });
  app.get('/metrics', async (_request, response) => {
    response.set('Content-Type', metrics.contentType).send(await metrics.text());
  });
  app.use('/v1', guardKey(options));
  app.get('/v1/models', async (_request, response) => {
    response.json({ object: 'list', data: (await models.list()).map(shownModel) });
  });
  app.get('/v1/models/*id', async (request, response) => {
    const { id } = request.params as unknown as { readonly id: readonly string[] }; // of the path above
    response.json(shownModel((await models.find(id.join('/'))).card));
  });
  app.get('/v1/responses/:id', (request, response) => {
    response.json(options.responses.require(request.params.id).response);
  });
  app.delete('/v1/responses/:id', (request, response) => {
    const { id } = request.params;
    options.responses.require(id);
    response.json({ id, object: 'response.deleted', deleted: options.responses.delete(id) });
  });
  const body = express.raw({ type: () => true, limit: options.maxBody, inflate: false });
  for (const [path, endpoint] of Object.entries(endpoints)) app.post(path, placed(path, options), body, answered(endpoint, options));
  app.post(FEEDBACK_PATH, guardFeedback(options.feedback), placed(FEEDBACK_PATH, options), body, takeFeedback(options.feedback));
  app.use((request) => {
    throw new CutlayerError(
      'NOT_FOUND',
      `${request.method} ${request.path.slice(0, 100)}: expected GET /v1/models or POST ${[...Object.keys(endpoints), FEEDBACK_PATH].join(', ')}`,
    );
  });
  const onError: ErrorRequestHandler = (caught: unknown, request, response, _next) => {
    const problem = problemOf(caught);
    const ofMessages = request.path.startsWith(MESSAGES_PATH);
    const shown = ofMessages ? messageProblem(problem) : { error: problem.error };
    if (problem.status >= 500) options.onFailure?.(CutlayerError.from(caught));
    if (response.destroyed) return;
    if (response.headersSent) {
      // An answer under way ends with the error as its last event.
      response.end(`${ofMessages ? 'event: error\n' : ''}data: ${JSON.stringify(shown)}\n\n`);
      return;
    }
    if (problem.retryAfter !== undefined) response.set('Retry-After', String(problem.retryAfter));
    if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer');
    response.status(problem.status).json(shown);
  };
  app.use(onError);
  return app;
}

/** A place is taken before the body is read, so that bodies in memory are bounded. */
function placed(path: string, { places, metrics }: AppOptions): RequestHandler {
  return (_request, response, next) => {
    const begin = performance.now();
    response.once('close', () =>
      metrics.observeRequest({ endpoint: path, status: response.statusCode, seconds: (performance.now() - begin) / 1000 }),
    );
    const place = places.take();
    response.once('close', place.leave);
    response.locals.place = place;
    next();
  };
}

function answered(endpoint: Endpoint, options: AppOptions): RequestHandler {
  return async (request, response) => {
    // The handler of `placed` has put the place there.
    const place = response.locals.place as Place;
    await endpoint(options, { body: readBody(request.body), response, signal: departureOf(response), place });
  };
}

/** As OpenAI's API shows a model, with what this one adds. */
function shownModel({ id, created, parent, backboneDigest, shutdownDate, method }: ModelCard) {
  return {
    id,
    object: 'model',
    created,
    owned_by: parent === undefined ? 'vendor' : 'you',
    backbone_digest: backboneDigest,
    ...(shutdownDate !== undefined && { shutdown_date: shutdownDate }),
    ...(parent !== undefined && { parent }),
    ...(method !== undefined && { adapter: method }),
  };
}
