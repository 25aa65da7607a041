/** A model that answers what a test says, token by token, and an endpoint of such models. */
import { createServingApp } from '../../clients/typescript/serving/app.js';
import type { FeedbackSink } from '../../clients/typescript/serving/feedback.js';
import { type Listening, listen } from '../../clients/typescript/serving/http/listen.js';
import { Places } from '../../clients/typescript/serving/http/places.js';
import { ServingMetrics } from '../../clients/typescript/serving/http/serving-metrics.js';
import type { ContinuedPrompt, ModelCall, TextModel } from '../../clients/typescript/serving/model/text-model.js';
import { ResponseStore } from '../../clients/typescript/serving/responses/response-store.js';
import { CutlayerError } from '../../src/errors.js';

/** How a scripted model behaves. */
export interface Script {
  /** Pieces of text, one a token. */
  readonly pieces: readonly string[];
  /** Waited for before each piece. */
  readonly before?: (signal: AbortSignal) => Promise<void>;
  readonly template?: string;
  /** The stop string that the last piece ends at. */
  readonly stop?: string;
  /** Told when an answer ends, whole or not. */
  readonly onEnd?: (whole: boolean) => void;
}

/** A model called `scripted`, of one token a character of its prompt. */
export function scriptedModel({ pieces, before, template = '', stop, onEnd }: Script): TextModel {
  const card = {
    id: 'scripted',
    created: 1,
    parent: undefined,
    backboneDigest: 'd'.repeat(64),
    shutdownDate: undefined,
    method: undefined,
  };
  const codes = (text: string) => Array.from(text, (character) => character.codePointAt(0)!);
  return {
    card,
    maxLength: 4000,
    virtualTokens: 0,
    vocabSize: 2 ** 21,
    checkConstraint: () => Promise.resolve(),
    promptIds: codes,
    encode: codes,
    render: ({ messages, tools }) => JSON.stringify(tools === undefined ? messages : { messages, tools }),
    templateOf: () => template,
    bytesOf: (ids) => ids.map((id) => Buffer.from(String.fromCodePoint(id))),
    async *continueAll(prompts: readonly ContinuedPrompt[], { signal }: ModelCall) {
      let whole = false;
      try {
        for (const [at, text] of pieces.entries()) {
          await before?.(signal);
          if (signal.aborted) throw new CutlayerError('CANCELLED', 'the call was cancelled');
          for (const index of prompts.keys()) {
            const last = at === pieces.length - 1;
            yield {
              index,
              text,
              token: { id: 65, logprob: -1, top: [] },
              ...(last && { finish: 'stop' as const, ...(stop !== undefined && { stop }) }),
            };
          }
        }
        whole = true;
      } finally {
        onEnd?.(whole);
      }
    },
    scorePrompt: () => Promise.reject(new Error('not scripted')),
    embed: () => Promise.reject(new Error('not scripted')),
  };
}

/** An endpoint of a scripted model. */
export interface ScriptedServer {
  readonly url: string;
  readonly places: Places;
  close(): Promise<void>;
}

/** Starts one without a key unless one is given. */
export async function startScripted(
  script: Script,
  {
    key,
    hosts = [],
    origins = [],
    maxRunning = 1,
    maxWaiting = 1,
    feedback,
  }: {
    readonly key?: string;
    readonly hosts?: readonly string[];
    readonly origins?: readonly string[];
    readonly maxRunning?: number;
    readonly maxWaiting?: number;
    readonly feedback?: FeedbackSink;
  } = {},
): Promise<ScriptedServer> {
  const model = scriptedModel(script);
  const places = new Places({ maxRunning, maxWaiting });
  let ids = 0;
  const app = createServingApp({
    models: { list: () => Promise.resolve([model.card]), find: () => Promise.resolve(model) },
    metrics: new ServingMetrics(() => ({ running: places.running, waiting: places.waiting, bytesUp: 1, bytesDown: 2, retries: 0 })),
    places,
    key,
    hosts,
    origins,
    maxBody: 20_000,
    maxNewTokens: 100,
    feedback,
    note: 'What crosses: <numbers>.',
    gateway: () => Promise.resolve({ reachable: true, bytesSent: 1, bytesReceived: 2 }),
    responses: new ResponseStore(),
    now: () => 1_000_000,
    randomSeed: () => 7,
    newId: (prefix) => `${prefix}${ids++}`,
  });
  const listening: Listening = await listen(app, '127.0.0.1', 0);
  return { url: `http://127.0.0.1:${listening.port}`, places, close: () => listening.close(500) };
}
