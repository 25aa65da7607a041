/** Lanes: what they hold, what they refuse, and what is left when a call or the worker fails. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeGraphOf, spanLimits } from '../../../src/artifacts/decode-graph.js';
import { loadBackbone } from '../../../src/artifacts/store.js';
import { type Lane, openDecoder } from '../../../src/gateway/decode/decoder.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { appendInTurns, type DecodeRig, decodeRig, rowsOf } from '../../support/decode-rig.js';
import { mortalWorkers } from '../../support/mortal-worker.js';
import { PackedModel } from '../../support/packed-model.js';
import { anonymousBytes, collectGarbage } from '../../support/process-memory.js';

describe('decoder: lanes', () => {
  let rig: DecodeRig;
  before(async () => {
    rig = await decodeRig(await PackedModel.fixture('gpt2-tiny', 0, 0));
  });
  after(() => rig.close());

  /** A lane with the first rows of a span. */
  async function laneOf(count: number, seed: number): Promise<Lane> {
    const lane = await rig.decoder.allocate(64);
    await rig.decoder.append([{ lane, from: 0, rows: rig.rows(count, seed) }]);
    return lane;
  }

  it('have a size in bytes, of rows rounded up', () => {
    const { decoder } = rig;
    assert.equal(decoder.bytesPerRow, 4 * 4 * 2 * 4 * 8); // float32, blocks, keys and values, heads, values of a head
    assert.equal(decoder.laneBytes(1), 128 * decoder.bytesPerRow);
    assert.equal(decoder.laneBytes(129), 256 * decoder.bytesPerRow);
  });

  it('go back to fewer rows, and take other rows from there', async () => {
    const { decoder } = rig;
    const span = rig.rows(12, 1);
    const lane = await laneOf(10, 7);
    const actual = await appendInTurns(decoder, lane, span, [12]);
    const fresh = await decoder.allocate(64);
    assert.deepEqual(actual, (await decoder.append([{ lane: fresh, from: 0, rows: span }]))[0]);
  });

  it('are copied, and go on apart', async () => {
    const { decoder } = rig;
    const [one, other] = [rig.rows(12, 1), rig.rows(12, 2)];
    const lane = await laneOf(8, 1);
    const whole = await decoder.append([{ lane: await decoder.allocate(12), from: 0, rows: rowsOf(one, 0, 8) }]);
    const fork = await decoder.allocate(12);
    await decoder.copy(lane, fork, 8);
    await decoder.append([{ lane, from: 8, rows: rowsOf(other, 8, 12) }]);
    const [kept] = await decoder.append([{ lane: fork, from: 7, rows: rowsOf(rig.rows(8, 1), 7, 8) }]);
    assert.deepEqual(kept, rowsOf(whole[0]!, 7, 8));
  });

  it('refuse what does not fit them, and hold what they held', async () => {
    const { decoder, hiddenSize } = rig;
    const lane = await laneOf(4, 1);
    const rows = rig.rows(1, 2);
    const [before] = await decoder.append([{ lane, from: 4, rows }]);
    const refused = (promise: Promise<unknown>, code: string, message: RegExp) => assert.rejects(promise, { code, message });
    await refused(
      decoder.append([{ lane, from: 6, rows }]),
      'INVALID_ARGUMENT',
      /from: expected at most the 5 rows that the lane holds, got 6/,
    );
    await refused(decoder.append([{ lane, from: -1, rows }]), 'INVALID_ARGUMENT', /got -1/);
    await refused(decoder.append([{ lane, from: 4, rows: rig.rows(61, 1) }]), 'LIMIT_EXCEEDED', /at most 64 rows in the lane, got 65/);
    await refused(
      decoder.append([{ lane, from: 4, rows: f32([0, hiddenSize], []) }]),
      'INVALID_SHAPE',
      /expected \[1 or more, 32\], got \[0, 32\]/,
    );
    await refused(decoder.append([{ lane, from: 4, rows: f32([1, 2], [1, 2]) }]), 'INVALID_SHAPE', /got \[1, 2\]/);
    await refused(decoder.append([{ lane, from: 4, rows }, { lane, from: 5, rows }]), 'INVALID_ARGUMENT', /at most once in a batch/); // biome-ignore format: one case a line
    await refused(decoder.writePrefix(lane, f32([4, 2, 1, 4, 9], new Float32Array(288))), 'INVALID_SHAPE', /expected \[4, 2, \*, 4, 8\]/);
    await refused(decoder.writePrefix(lane, f32([4, 2, 1, 4, 8], new Float32Array(256).fill(Number.NaN))), 'NON_FINITE', /prefix/);
    await refused(decoder.writePrefix(lane, f32([4, 2, 65, 4, 8], new Float32Array(65 * 256))), 'LIMIT_EXCEEDED', /got 65/);
    await refused(decoder.copy(lane, await decoder.allocate(8), 6), 'INVALID_ARGUMENT', /at most the 5 rows/);
    for (const wrong of [0, 65, 1.5]) await refused(decoder.allocate(wrong), 'LIMIT_EXCEEDED', /expected 1 to 64 rows/);
    assert.deepEqual((await decoder.append([{ lane, from: 4, rows }]))[0], before);
  });

  it('spoil no other lane of a batch with values that are not finite, and drop those rows', async () => {
    const { decoder, hiddenSize } = rig;
    const [good, bad] = [await laneOf(4, 1), await laneOf(4, 2)];
    const next = rig.rows(1, 3);
    // Two rows: the second is not written again by the next call, and must not be left as it is.
    const broken = f32([2, hiddenSize], new Float32Array(2 * hiddenSize).fill(Number.POSITIVE_INFINITY));
    const [fromGood, fromBad] = await decoder.append([{ lane: good, from: 4, rows: next }, { lane: bad, from: 4, rows: broken }]); // biome-ignore format: one batch
    assert.ok(fromBad!.data.some(Number.isNaN));
    assert.deepEqual(fromGood, (await decoder.append([{ lane: await laneOf(4, 1), from: 4, rows: next }]))[0]);
    await assert.rejects(decoder.append([{ lane: bad, from: 5, rows: next }]), { code: 'INVALID_ARGUMENT' });
    assert.deepEqual((await decoder.append([{ lane: bad, from: 4, rows: next }]))[0], (await decoder.append([{ lane: await laneOf(4, 2), from: 4, rows: next }]))[0]); // biome-ignore format: one comparison
  });

  it('free the caller of a cancelled call at once, and take the same rows again', async () => {
    const { decoder } = rig;
    const lane = await laneOf(4, 1);
    const rows = rig.rows(2, 2);
    await assert.rejects(decoder.append([{ lane, from: 4, rows }], AbortSignal.abort()), { code: 'CANCELLED' });
    const controller = new AbortController();
    const cancelled = decoder.append([{ lane, from: 4, rows }], controller.signal);
    controller.abort();
    await assert.rejects(cancelled, { code: 'CANCELLED' });
    await assert.rejects(decoder.append([{ lane, from: 5, rows }]), { code: 'INVALID_ARGUMENT' });
    const [again] = await decoder.append([{ lane, from: 4, rows }]);
    assert.deepEqual(again, (await decoder.append([{ lane: await laneOf(4, 1), from: 4, rows }]))[0]);
  });

  it('give their memory back', async () => {
    const { decoder } = rig;
    const keyValues = f32([4, 2, 64, 4, 8], new Float32Array(4 * 2 * 64 * 4 * 8).fill(1));
    const cycle = async (): Promise<void> => {
      const lanes = await Promise.all(Array.from({ length: 20 }, () => decoder.allocate(64)));
      await Promise.all(lanes.map((lane) => decoder.writePrefix(lane, keyValues)));
      await Promise.all(lanes.map((lane) => decoder.release(lane)));
    };
    for (let warm = 0; warm < 3; warm++) await cycle();
    collectGarbage();
    const before = anonymousBytes();
    for (let time = 0; time < 10; time++) await cycle();
    collectGarbage();
    const kept = anonymousBytes() - before;
    assert.ok(kept < (200 * decoder.laneBytes(64)) / 2, `200 lanes of ${decoder.laneBytes(64)} bytes: ${kept} bytes more`);
  });
});

describe('decoder: its worker', () => {
  it('is started again after a crash; lanes of before are gone', async () => {
    const { workers, spawn } = mortalWorkers('decode/worker.js');
    const rig = await decodeRig(await PackedModel.fixture('gpt2-tiny', 0, 0), { spawn });
    const { decoder } = rig;
    try {
      const lane = await decoder.allocate(8);
      const rows = rig.rows(2, 1);
      const [expected] = await decoder.append([{ lane, from: 0, rows }]);
      workers[0]!.dieAtNextRun();
      const waiting = [decoder.append([{ lane, from: 2, rows }]), decoder.allocate(8)];
      for (const call of waiting) await assert.rejects(call, { code: 'WORKER_CRASHED', message: /every lane with it/ });
      await assert.rejects(decoder.append([{ lane, from: 0, rows }]), { code: 'WORKER_CRASHED' });
      await decoder.release(lane);
      const next = await decoder.allocate(8);
      await assert.rejects(decoder.append([{ lane, from: 0, rows }]), { code: 'WORKER_CRASHED' });
      assert.deepEqual((await decoder.append([{ lane: next, from: 0, rows }]))[0], expected);
      assert.equal(workers.length, 2);
    } finally {
      await rig.close();
    }
    await assert.rejects(decoder.allocate(8), { code: 'UNAVAILABLE', message: /closed/ });
  });

  it('does not start with a backbone of before, or with a broken graph', async () => {
    const model = await PackedModel.fixture('gpt2-tiny', 0, 0);
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-decode-'));
    try {
      await cp(model.backbone.dir, dir, { recursive: true });
      const manifest = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')) as typeof model.backbone.manifest;
      const { decode, ...graphs } = manifest.graphs;
      await writeFile(join(dir, 'manifest.json'), JSON.stringify({ ...manifest, graphs }));
      const old = await loadBackbone(dir);
      assert.equal(spanLimits(old.manifest), undefined);
      assert.deepEqual(spanLimits(model.backbone.manifest), { maxRows: 64, longRows: 0 });
      await assert.rejects(openDecoder({ artifact: old }), {
        code: 'UNIMPLEMENTED',
        message: /packs a checkpoint again with cutlayer pack/,
      });
      await writeFile(join(dir, decodeGraphOf(model.backbone.manifest).file), 'not a graph');
      await assert.rejects(openDecoder({ artifact: { ...model.backbone, dir }, threads: 1 }), { code: 'INVALID_ARTIFACT' });
      const wrong = { ...manifest, graphs: { ...graphs, decode: { ...decode, keyShape: [4, 9] } } };
      await writeFile(join(dir, 'manifest.json'), JSON.stringify(wrong));
      await assert.rejects(loadBackbone(dir), { code: 'INVALID_ARTIFACT', message: /graphs\.decode\.keyShape: expected 32 elements/ });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
