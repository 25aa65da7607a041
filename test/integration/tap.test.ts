/** A capture of all bytes between client and gateway during training, evaluation and generation holds no text, token id sequence or label. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Adapter,
  ClientBundle,
  connect,
  createAdapter,
  type Example,
  evaluate,
  loadExamples,
  Prefix,
  SoftPrompt,
  TrainingClient,
  toExamples,
  train,
} from '../../clients/typescript/index.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import { dataOfStreams, startTapProxy, type TapProxy } from '../support/tap-proxy.js';
import { writeNotes } from '../support/training-data.js';

/** Ids in a row that no chance puts into a capture of a few megabytes. */
const WINDOW = 5;

describe('a tap between client and gateway', () => {
  let dir: string;
  let gateway: GatewayHere;
  let tap: TapProxy;
  let bundle: ClientBundle;
  let examples: readonly Example[];
  let records: readonly { readonly prompt: string; readonly completion: string }[];
  let generated = '';
  let classifier: Adapter;
  let headAtFirst: Float32Array;
  /** Raw bytes of both directions, then every stream's messages. */
  let captured: readonly Buffer[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-tap-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny', { bottom: 0, top: 0 });
    gateway = await startGatewayHere({ backboneDir, insecure: true });
    tap = await startTapProxy(gateway.address);
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    const connection = await connect({ address: tap.address, insecure: true, token: await gateway.token('acme') });
    records = writeNotes(join(dir, 'train.jsonl'), 24, 4);
    examples = await loadExamples(join(dir, 'train.jsonl'), bundle.tokenizer, { maxLength: 60 });
    const adapters = [
      await SoftPrompt.create(bundle, 4, { init: 'TEXT', text: 'The pump lost pressure' }),
      Prefix.create(bundle, 4, { seed: 1 }),
    ];
    for (const adapter of adapters) {
      const client = new TrainingClient(bundle, connection, adapter);
      await train(client, { outDir: join(dir, adapter.method), examples, totalSteps: 4, batchSize: 8 });
      await evaluate(client.model, adapter, examples, { generateExamples: 2 });
      for await (const piece of client.sample(records[0]!.prompt, { maxNewTokens: 12 })) generated += piece;
    }
    const labels = [...new Set(records.map(({ completion }) => `class of${completion}`))];
    classifier = await createAdapter({ bundle }, 'prompt-tuning+classification-head', { virtualTokens: 4, labels });
    const classified = records.flatMap(({ prompt, completion }) =>
      toExamples({ form: 'text', text: prompt, label: `class of${completion}` }, bundle.tokenizer, { maxLength: 60, labels }, 'test'),
    );
    const client = new TrainingClient(bundle, connection, classifier);
    headAtFirst = classifier.parameters.find(({ name }) => name.endsWith('score.weight'))!.value.data.slice();
    await train(client, { outDir: join(dir, classifier.method), examples: classified, totalSteps: 4, batchSize: 8 });
    await evaluate(client.model, classifier, classified);
    connection.close();
    captured = tap.connections().flatMap(({ up, down }) => [up, down, ...dataOfStreams(up).values(), ...dataOfStreams(down).values()]);
  });

  after(async () => {
    await bundle?.close();
    await tap?.close();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const holds = (needle: Buffer) => captured.some((bytes) => bytes.includes(needle));

  it('sees plaintext, all of it: the very activations that were sent', async () => {
    // One token's embedding row, as float32 on the wire; a row is 32 floats.
    const rows = await bundle.embed([...examples[0]!.tokenIds]);
    assert.ok(holds(Buffer.from(rows.data.buffer, rows.data.byteOffset, rows.data.byteLength)));
    assert.ok(captured.reduce((sum, bytes) => sum + bytes.length, 0) > 500_000);
  });

  it('would find text and ids in any of the encodings searched for', () => {
    const ids = [300, 5, 17, 290, 128];
    const planted = encodings(ids).map((needle) => Buffer.concat([Buffer.from('before'), needle, Buffer.from('after')]));
    encodings(ids).forEach((needle, i) => {
      assert.ok(planted[i]!.includes(needle));
    });
    assert.equal(encodings(ids)[0]!.toString('hex'), '2c01000005000000110000002201000080000000');
    assert.equal(encodings(ids).at(-2)!.toString('hex'), 'ac020511a2028001');
  });

  it('holds no text: no prompt, no completion, no generated text, no word of them', () => {
    const texts = [...records.flatMap(({ prompt, completion }) => [prompt, completion]), 'The pump lost pressure', generated];
    const words = texts.flatMap((text) => text.split(/[^A-Za-z]+/)).filter((word) => word.length >= 4);
    const needles = [...new Set([...texts.filter((text) => text.length >= 4), ...words])];
    assert.ok(needles.length > 30);
    for (const needle of needles) {
      for (const encoding of ['utf8', 'utf16le'] as const)
        assert.ok(!holds(Buffer.from(needle, encoding)), `found ${JSON.stringify(needle)}`);
      assert.ok(!holds(Buffer.from(needle.toLowerCase())), `found ${JSON.stringify(needle)} in lower case`);
    }
  });

  it('holds no sequence of token ids, whole or in part, in any usual encoding', () => {
    let searched = 0;
    for (const { tokenIds } of examples.slice(0, 6)) {
      for (let start = 0; start + WINDOW <= tokenIds.length; start++) {
        for (const needle of encodings([...tokenIds.subarray(start, start + WINDOW)])) {
          searched += 1;
          assert.ok(!holds(needle), `found the ids ${tokenIds.subarray(start, start + WINDOW).join()} as ${needle.toString('hex')}`);
        }
      }
    }
    assert.ok(searched > 300);
  });

  it('holds neither the names of classes nor any row of the classification head', () => {
    for (const label of classifier.labels!) assert.ok(!holds(Buffer.from(label)), `found ${label}`);
    const { data } = classifier.parameters.find(({ name }) => name.endsWith('score.weight'))!.value;
    assert.notDeepEqual(data, headAtFirst, 'it was trained');
    for (const values of [headAtFirst, data]) {
      for (let at = 0; at + WINDOW <= values.length; at += WINDOW) {
        assert.ok(!holds(Buffer.from(values.buffer, values.byteOffset + at * 4, WINDOW * 4)), `found the head's values at ${at}`);
      }
    }
  });

  it('holds no labels', () => {
    for (const { tokenIds, labelMask } of examples) {
      const labels = [...tokenIds].filter((_, i) => labelMask[i] === 1);
      // Two or three labels as bytes or varints are found by chance; wide encodings of them are not.
      const needles = labels.length >= WINDOW ? encodings(labels) : encodings(labels).filter((needle) => needle.length >= 8);
      assert.ok(needles.length > 0);
      for (const needle of needles) assert.ok(!holds(needle), `found the labels ${labels.join()}`);
    }
  });
});

/** Ids as int32, int64, float32 and their big-endian forms, int16, varints (protobuf, also zigzag) and decimal text. */
function encodings(ids: readonly number[]): readonly Buffer[] {
  const wide = (bytes: number, write: (buffer: Buffer, id: number, at: number) => void): Buffer => {
    const buffer = Buffer.alloc(ids.length * bytes);
    ids.forEach((id, i) => {
      write(buffer, id, i * bytes);
    });
    return buffer;
  };
  return [
    wide(4, (buffer, id, at) => buffer.writeInt32LE(id, at)),
    wide(4, (buffer, id, at) => buffer.writeInt32BE(id, at)),
    wide(8, (buffer, id, at) => buffer.writeBigInt64LE(BigInt(id), at)),
    wide(8, (buffer, id, at) => buffer.writeBigInt64BE(BigInt(id), at)),
    wide(4, (buffer, id, at) => buffer.writeFloatLE(id, at)),
    wide(2, (buffer, id, at) => buffer.writeInt16LE(id, at)),
    wide(2, (buffer, id, at) => buffer.writeInt16BE(id, at)),
    Buffer.from(ids.join(',')),
    Buffer.from(ids.join(' ')),
    Buffer.concat(ids.map(varint)),
    Buffer.concat(ids.map((id) => varint(id * 2))),
  ];
}

function varint(id: number): Buffer {
  const bytes: number[] = [];
  let rest = id;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
