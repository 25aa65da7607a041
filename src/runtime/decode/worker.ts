/** Entry of the decode worker thread: it holds the lanes and runs the decode graph on them. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Mutex } from 'async-mutex';
import { type InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { CutlayerError } from '../../errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import { failureOf } from '../failure.js';
import { openSession } from '../open-session.js';
import { releaseTensors } from '../release.js';
import { LaneGraph, type LaneInput } from './lane-graph.js';
import { LaneMemory } from './lane-memory.js';
import type { DecodeCall, DecodeReply, DecodeRequest, DecodeSettings, OutputRows } from './protocol.js';

/** Weights that the graph has as inputs, by name. */
type Weights = Readonly<Record<string, Tensor<'float32'>>>;

type Reply = (message: DecodeReply, transfer?: readonly ArrayBuffer[]) => void;

async function main(port: MessagePort, settings: DecodeSettings): Promise<void> {
  const reply: Reply = (message, transfer = []) => port.postMessage(message, [...transfer]);
  const turn = new Mutex();
  let opened: Opened | undefined;
  const open = async (wanted: DecodeSettings): Promise<void> => {
    try {
      opened = await openDecode(wanted);
      reply({ type: 'ready' });
    } catch (caught) {
      reply({ type: 'unusable', ...failureOf(caught) });
      port.close();
    }
  };
  port.on('message', (request: DecodeRequest) => {
    void turn.runExclusive(async () => {
      if (request.type === 'open') await open(request.settings);
      else if (request.type === 'close') {
        opened?.lanes.close();
        await opened?.session.release();
        opened = undefined;
        if (request.keep) reply({ type: 'closed' });
        else port.close();
      } else if (opened !== undefined) await answer(opened.lanes, request, reply);
    });
  });
  await turn.runExclusive(() => open(settings));
}

interface Opened {
  readonly session: InferenceSession;
  readonly lanes: Lanes;
}

async function openDecode(settings: DecodeSettings): Promise<Opened> {
  const session = await openSession(settings, settings.graph, { weights: 'packed' });
  return { session, lanes: new Lanes(settings, new LaneGraph(settings, session)) };
}

async function answer(lanes: Lanes, request: DecodeCall & { readonly id: number }, reply: Reply): Promise<void> {
  const { id } = request;
  try {
    const outputs = await lanes.answer(request);
    const buffers = outputs.map(({ rows }) => rows.buffer as ArrayBuffer); // made by the lane graph, whole
    reply({ type: 'done', id, outputs }, buffers);
  } catch (caught) {
    reply({ type: 'failed', id, ...failureOf(caught) });
  }
}

class Lanes {
  readonly #settings: DecodeSettings;
  readonly #graph: LaneGraph;
  readonly #lanes = new Map<number, Omit<LaneInput, 'from' | 'rows'>>();
  readonly #weights = new Map<number, Weights>();

  constructor(settings: DecodeSettings, graph: LaneGraph) {
    this.#settings = settings;
    this.#graph = graph;
  }

  async answer(call: DecodeCall): Promise<readonly OutputRows[]> {
    switch (call.type) {
      case 'hold':
        this.#weights.set(call.weights, call.tensors);
        return [];
      case 'drop':
        releaseTensors(Object.values(this.#weights.get(call.weights) ?? {}));
        this.#weights.delete(call.weights);
        return [];
      case 'allocate': {
        const weights = call.weights === undefined ? undefined : ortTensors(this.#weights.get(call.weights)!);
        this.#lanes.set(call.lane, { memory: new LaneMemory(this.#settings, call.capacity), ropeLength: call.ropeLength, weights });
        return [];
      }
      case 'append':
        return this.#graph.append(call.batch.map(({ lane, from, rows }) => ({ ...this.#lane(lane), from, rows })));
      case 'prefix':
        this.#lane(call.lane).memory.write(call.keyValues);
        return [];
      case 'copy':
        this.#lane(call.to).memory.copyFrom(this.#lane(call.from).memory, { from: 0, rows: call.rows, at: call.at });
        return [];
      case 'keep': {
        const kept = new LaneMemory(this.#settings, call.rows);
        const { memory, ropeLength } = this.#lane(call.of);
        kept.copyFrom(memory, { from: call.from, rows: call.rows, at: 0 });
        this.#lanes.set(call.lane, { memory: kept, ropeLength });
        return [];
      }
      case 'release':
        this.#lane(call.lane).memory.release();
        this.#lanes.delete(call.lane);
        return [];
    }
  }

  /** Gives the memory of all lanes and weights back. */
  close(): void {
    for (const { memory } of this.#lanes.values()) memory.release();
    this.#lanes.clear();
    for (const weights of this.#weights.values()) releaseTensors(Object.values(weights));
    this.#weights.clear();
  }

  #lane(id: number): Omit<LaneInput, 'from' | 'rows'> {
    const found = this.#lanes.get(id);
    if (found === undefined) throw new CutlayerError('INTERNAL', `lane ${id}: the decode worker does not hold it`);
    return found;
  }
}

/** They share the memory of the given ones. */
const ortTensors = (weights: Weights): Record<string, OrtTensor> =>
  Object.fromEntries(Object.entries(weights).map(([name, { data, shape }]) => [name, new OrtTensor('float32', data, shape)]));

if (parentPort !== null) await main(parentPort, workerData as DecodeSettings);
