/** Serves a model with its adapters on an address of this machine, in OpenAI's API. */
import { randomBytes, randomInt } from 'node:crypto';
import { exposure, exposureAt } from '../../../src/artifacts/exposure.js';
import type { CutlayerError } from '../../../src/errors.js';
import { createServingApp } from './app.js';
import type { FeedbackSink } from './feedback.js';
import { openApiKey } from './http/api-key.js';
import { listen } from './http/listen.js';
import { type PlaceLimits, Places } from './http/places.js';
import { ServingMetrics } from './http/serving-metrics.js';
import { type GatewayHealth, gatewayHealth } from './model/gateway-health.js';
import { ModelRegistry, type RegistryOptions } from './model/model-registry.js';
import type { ModelCard } from './model/text-model.js';
import { ResponseStore } from './responses/response-store.js';

export interface ServingOptions extends RegistryOptions, PlaceLimits {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Holds the API key, and is made when missing; undefined: a request needs no key. */
  readonly keyFile: string | undefined;
  readonly hosts: readonly string[];
  readonly origins: readonly string[];
  readonly maxBody: number;
  readonly maxNewTokens: number;
  readonly feedback?: FeedbackSink;
  readonly onFailure?: ((error: CutlayerError) => void) | undefined;
}

/** A port that answers. */
export interface Serving {
  /** `http://127.0.0.1:8788` */
  readonly url: string;
  readonly models: readonly ModelCard[];
  readonly health: () => Promise<GatewayHealth>;
  /** Refuses further requests, and lets those under way end for a while. */
  close(graceMs: number): Promise<void>;
}

/** @throws CutlayerError INVALID_OPTION, IO_ERROR; of each adapter what opening it throws */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { host, model, keyFile } = options;
  const { counters } = model.remote.connection;
  const key = keyFile === undefined ? undefined : await openApiKey(keyFile);
  const places = new Places(options);
  const metrics = new ServingMetrics(() => ({ ...counters, running: places.running, waiting: places.waiting }));
  const models = new ModelRegistry(options);
  // An adapter that is named on the command line is opened now: what is wrong with it is told.
  for (const { name } of options.adapters) await models.find(name);
  const served = await models.list();
  const health = gatewayHealth(model.remote.connection);
  const app = createServingApp({
    ...options,
    models,
    metrics,
    places,
    key,
    gateway: health,
    note: `${exposure} ${exposureAt(model.bundle.manifest.cut.bottom)}`,
    responses: new ResponseStore(),
    now: Date.now,
    randomSeed: () => randomInt(2 ** 47),
    newId: (prefix) => `${prefix}${randomBytes(12).toString('hex')}`,
  });
  const listening = await listen(app, host, options.port);
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`,
    models: served,
    health,
    async close(graceMs) {
      void places.drain();
      await listening.close(graceMs);
    },
  };
}
