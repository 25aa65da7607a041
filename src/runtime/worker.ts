/**
 * Entry of a runtime worker thread. ONNX Runtime's `run()` blocks its thread, so graphs run here
 * and the main thread stays free. Requests, replies and their order: protocol.ts.
 */
import { setImmediate } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Mutex } from 'async-mutex';
import { type InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { CutlayerError } from '../errors.js';
import { allFinite } from '../tensor/finite.js';
import { elementCount, type Tensor, type TensorDType } from '../tensor/tensor.js';
import { failureOf } from './failure.js';
import type { NamedTensors, RunRequest, WorkerReply, WorkerRequest, WorkerSettings } from './protocol.js';
import { buffersOf, releaseTensors } from './release.js';
import { SessionCache } from './session-cache.js';

const ignore = (): void => undefined;

const arrayTypes = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array } as const;

/** What one pool has opened in this thread. */
interface Opened {
  readonly graphs: SessionCache;
  closing: boolean;
}

type Reply = (message: WorkerReply, transfer?: readonly ArrayBuffer[]) => void;

async function main(port: MessagePort, settings: WorkerSettings): Promise<void> {
  const reply: Reply = (message, transfer = []) => port.postMessage(message, [...transfer]);
  const turn = new Mutex();
  let opened: Opened = { graphs: new SessionCache(settings), closing: false };

  const open = async ({ warm, warmLater }: WorkerSettings): Promise<void> => {
    const started = performance.now();
    const { graphs } = opened;
    try {
      for (const graph of warm) await graphs.session(graph);
    } catch (caught) {
      reply({ type: 'unusable', ...failureOf(caught) });
      await graphs.close();
      port.close();
      return;
    }
    reply({ type: 'ready', startMs: performance.now() - started });
    void openLater(turn, opened, warmLater, reply);
  };
  port.on('message', (request: WorkerRequest) => {
    if (request.type === 'close') opened.closing = true;
    void turn.runExclusive(async () => {
      switch (request.type) {
        case 'open':
          opened = { graphs: new SessionCache(request.settings), closing: false };
          await open(request.settings);
          break;
        case 'close':
          await opened.graphs.close();
          if (request.keep) reply({ type: 'closed' });
          else port.close();
          break;
        case 'run':
          await answer(opened.graphs, request, reply);
      }
    });
  });
  await turn.runExclusive(() => open(settings));
}

/** A call that needs a broken graph fails with the error that is reported here. */
async function openLater(turn: Mutex, opened: Opened, later: readonly string[], reply: Reply): Promise<void> {
  for (const graph of later) {
    // Lets waiting requests run between two graphs.
    await setImmediate();
    if (opened.closing) return;
    await turn.runExclusive(() =>
      opened.graphs.session(graph).then(ignore, (caught: unknown) => reply({ type: 'broken', graph, ...failureOf(caught) })),
    );
  }
}

async function answer(graphs: SessionCache, request: RunRequest, reply: Reply): Promise<void> {
  const { id, feeds } = request;
  try {
    const session = await graphs.session(request.graph, request.pruned === true ? request.fetches : undefined);
    const started = performance.now();
    const outputs = await run(session, request);
    const runMs = performance.now() - started;
    releaseTensors(Object.values(feeds));
    reply({ type: 'done', id, outputs, runMs }, buffersOf(Object.values(outputs)));
  } catch (caught) {
    releaseTensors(Object.values(feeds));
    reply({ type: 'failed', id, ...failureOf(caught) });
  }
}

async function run(session: InferenceSession, request: RunRequest): Promise<NamedTensors> {
  const feeds: Record<string, OrtTensor> = {};
  for (const [name, { dtype, shape, data }] of Object.entries(request.feeds)) feeds[name] = new OrtTensor(dtype, data, shape);
  const raw = request.fetches === undefined ? await session.run(feeds) : await session.run(feeds, [...request.fetches]);
  const outputs: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(raw)) outputs[name] = fromOrt(name, value);
  const broken = request.finite?.find((name) => {
    const output = outputs[name];
    return output?.dtype === 'float32' && !allFinite((output as Tensor<'float32'>).data);
  });
  if (broken === undefined) return outputs;
  releaseTensors(Object.values(outputs));
  throw new CutlayerError(
    'NON_FINITE',
    `${broken}: expected finite values, the graph computed NaN or infinity; check the scale of its inputs`,
  );
}

function fromOrt(name: string, value: OrtTensor): Tensor {
  if (!Object.hasOwn(arrayTypes, value.type)) {
    throw new CutlayerError(
      'INVALID_ARTIFACT',
      `${name}: the graph's output has element type ${value.type}, which the runtime does not hand out`,
    );
  }
  const dtype = value.type as TensorDType;
  // An output without elements may come without an array of its own.
  const data = elementCount(value.dims) === 0 ? new arrayTypes[dtype](0) : (value.data as Tensor['data']);
  return { dtype, shape: [...value.dims], data };
}

if (parentPort !== null) await main(parentPort, workerData as WorkerSettings);
