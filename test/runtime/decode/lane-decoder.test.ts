/** Weights that a decode graph has as inputs: in the worker once, and no longer than a lane uses them. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { openLaneDecoder } from '../../../src/runtime/decode/lane-decoder.js';
import type { DecodeReply, DecodeRequest } from '../../../src/runtime/decode/protocol.js';
import { f32 } from '../../../src/tensor/tensor.js';

/** A worker that says what it is asked for, and answers. */
class Listener extends EventEmitter {
  constructor(private readonly asked: string[]) {
    super();
    queueMicrotask(() => this.emit('message', { type: 'ready' } satisfies DecodeReply));
  }

  postMessage(request: DecodeRequest): void {
    this.asked.push('weights' in request && request.weights !== undefined ? `${request.type} ${request.weights}` : request.type);
    if (request.type === 'close') this.emit('exit');
    else if ('id' in request)
      queueMicrotask(() => this.emit('message', { type: 'done', id: request.id, outputs: [] } satisfies DecodeReply));
  }
}

const layout = { dir: '', weights: undefined, graph: 'top-decode-trained.onnx', threads: 1, lanes: 1, layers: 1, hiddenSize: 4, group: 1 };
const shapes = { keyBlock: 128, keyShape: [1, 4], valueShape: [1, 1, 4], numKvHeads: 1, headDim: 4, maxRows: 64 };

describe('a decoder of weights that are inputs', () => {
  it('sends them once for all lanes, drops them with the last one, and sends them again after a crash', async () => {
    const asked: string[] = [];
    const workers: Listener[] = [];
    const decoder = await openLaneDecoder({
      ...layout,
      ...shapes,
      spawn: () => {
        workers.push(new Listener(asked));
        return workers.at(-1) as unknown as Worker; // what the decoder uses of one
      },
    });
    const weights = { 'q.weight': f32([4, 4], new Float32Array(16).fill(2)) };
    const lanes = [await decoder.allocate(8, { weights }), await decoder.allocate(8, { weights }), await decoder.allocate(8)];
    assert.deepEqual(asked.splice(0), ['hold 2', 'allocate 2', 'allocate 2', 'allocate']);
    for (const lane of lanes) await decoder.release(lane);
    assert.deepEqual(asked.splice(0), ['release', 'release', 'drop 2', 'release']);
    const lane = await decoder.allocate(8, { weights });
    assert.deepEqual(asked.splice(0), ['hold 6', 'allocate 6']);
    workers[0]!.emit('exit');
    await decoder.release(lane);
    await decoder.allocate(8, { weights });
    assert.deepEqual(asked.splice(0), ['hold 8', 'allocate 8']);
    assert.equal(weights['q.weight'].data[15], 2, 'the values of the caller stay');
    await decoder.close();
  });
});
