/** What an endpoint works with. */
import type { Response } from 'express';
import type { Body } from './http/json-body.js';
import type { Place } from './http/places.js';
import type { ServingMetrics } from './http/serving-metrics.js';
import type { TextModels } from './model/text-model.js';
import type { ResponseStore } from './responses/response-store.js';

/** What all requests share. */
export interface EndpointContext {
  readonly models: TextModels;
  readonly metrics: ServingMetrics;
  /** Longest answer where a request does not say, in tokens. */
  readonly maxNewTokens: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** For a request without a seed. */
  readonly randomSeed: () => number;
  /** Answers that later requests go on from. */
  readonly responses: ResponseStore;
  /** A new identifier. @param prefix As `chatcmpl-`. */
  readonly newId: (prefix: string) => string;
}

/** One request. */
export interface EndpointCall {
  readonly body: Body;
  readonly response: Response;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  readonly place: Place;
}

/** Answers a request. @throws CutlayerError before the answer has begun, or in its midst */
export type Endpoint = (context: EndpointContext, call: EndpointCall) => Promise<void>;
