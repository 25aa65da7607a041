/** Lanes with the rope of short and of long sequences, side by side. */
import assert from 'node:assert/strict';
import { DecodeSessions } from '../../../src/gateway/decode/sessions.js';
import { type DecodeRig, decodeRig, rowsOf } from '../../support/decode-rig.js';
import { PackedModel } from '../../support/packed-model.js';

describe('decoder: a rope that switches', () => {
  let rig: DecodeRig;
  before(async () => {
    rig = await decodeRig(await PackedModel.fixture('phi3-longrope-tiny', 0, 0));
  });
  after(() => rig.close());

  it('gives lanes of both ropes in one batch the bits that they have alone', async () => {
    const { decoder } = rig;
    // More lanes than a run has, of rows that differ in number; every other one is long. The first
    // two begin with the same rows.
    const spans = Array.from({ length: 11 }, (_, at) => ({
      longRope: at % 2 === 1,
      rows: rig.rows(at % 2 === 1 ? 14 + at : 8, Math.max(1, at)),
    }));
    const alone = [];
    for (const { longRope, rows } of spans) {
      const lane = await decoder.allocate(rows.shape[0]!, { longRope });
      const [output] = await decoder.append([{ lane, from: 0, rows }]);
      alone.push(output!);
      await decoder.release(lane);
    }
    const lanes = await Promise.all(spans.map(({ rows, longRope }) => decoder.allocate(rows.shape[0]!, { longRope })));
    const part = (at: number, start: number, end: number) => ({ lane: lanes[at]!, from: start, rows: rowsOf(spans[at]!.rows, start, end) });
    for (const [start, endOf] of [
      [0, (at: number) => 3 + (at % 3)],
      [3, () => 4],
      [4, () => 8],
    ] as const) {
      const ends = spans.map((_, at) => endOf(at));
      const outputs = await decoder.append(spans.map((_, at) => part(at, start, ends[at]!)));
      for (const [at, output] of outputs.entries())
        assert.deepEqual(output, rowsOf(alone[at]!, start, ends[at]!), `lane ${at}, rows from ${start}`);
    }
    assert.notDeepEqual(rowsOf(alone[0]!, 1, 8), rowsOf(alone[1]!, 1, 8), 'the ropes differ');
    for (const lane of lanes) await decoder.release(lane);
  });

  it('has as many rows as each rope allows, and copies no keys from one rope to the other', async () => {
    const { decoder } = rig;
    assert.deepEqual([decoder.maxRows, decoder.longRows], [8, 64]);
    await assert.rejects(decoder.allocate(9), { code: 'LIMIT_EXCEEDED', message: /expected 1 to 8 rows, got 9/ });
    await assert.rejects(decoder.allocate(65, { longRope: true }), { code: 'LIMIT_EXCEEDED', message: /expected 1 to 64 rows, got 65/ });
    const [short, long] = [await decoder.allocate(8), await decoder.allocate(9, { longRope: true })];
    await decoder.append([{ lane: short, from: 0, rows: rig.rows(8, 1) }]);
    await assert.rejects(decoder.append([{ lane: short, from: 8, rows: rig.rows(1, 2) }]), {
      code: 'LIMIT_EXCEEDED',
      message: /at most 8 rows/,
    });
    await assert.rejects(decoder.copy(short, long, 8), { code: 'INVALID_ARGUMENT', message: /other ropes/ });
    const kept = await decoder.keep(short, 0, 4);
    await assert.rejects(decoder.copy(kept, long, 4), { code: 'INVALID_ARGUMENT' });
    for (const lane of [short, long, kept]) await decoder.release(lane);
  });

  it('copies kept rows to sessions of the same rope alone', async () => {
    const sessions = new DecodeSessions({
      decoder: rig.decoder,
      turns: { turn: ({ work }) => work() },
      bounds: {
        ...{ limitBytes: 2 ** 30, tenantBytes: 2 ** 30, maxPerTenant: 8, idleMs: 60_000, restMs: 60_000 },
        ...{ chunkRows: 16, maxBatch: 8, share: 0, maxMs: 0, cacheBytes: 2 ** 29, blockRows: 4 },
      },
      digest: rig.model.backbone.digest,
      now: () => performance.now(),
    });
    const call = { tenant: 'acme', holder: {} };
    const rows = rig.rows(8, 4);
    const outputs = [];
    for (const [at, longRope] of [false, true, true, false].entries()) {
      const session = await sessions.open(call, { id: `s${at}`, maxRows: 8, longRope, adapter: { kind: 'none' } });
      outputs.push(await sessions.append(call, session, { from: 0, rows, positions: [7] }));
      assert.equal(sessions.stats().decodeCacheHits, Math.max(0, at - 1), 'the first session of each rope computes its rows');
    }
    assert.deepEqual(outputs[2], outputs[1]);
    assert.deepEqual(outputs[3], outputs[0]);
    assert.notDeepEqual(outputs[1], outputs[0]);
  });
});
