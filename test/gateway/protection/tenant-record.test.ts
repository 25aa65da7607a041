import assert from 'node:assert/strict';
import { Directions } from '../../../src/gateway/protection/directions.js';
import { type RecordBounds, TenantRecord } from '../../../src/gateway/protection/tenant-record.js';
import { seeded } from '../../../src/tensor/random.js';

const random = seeded(5);
const sketch = (width: number): Float32Array => Float32Array.from({ length: width }, () => random.normal());
const bounds: RecordBounds = { rows: 10, directions: 1e6, steps: 4, stepRows: 40, inputs: 5, inputDirections: 1e6, sessions: 2 };
const rows = { promptRows: 0, virtualTokens: 0, sequence: 8, textRows: 8, positions: new Uint32Array(8), cells: new Float64Array(8) };
const step = () => ({ digest: 'd', rows, cotangents: new Set<string>(), calls: new Map<string, boolean>() });

describe('directions', () => {
  it('counts a direction once, with its opposite and what is near it', () => {
    const directions = new Directions();
    const one = sketch(64);
    assert.equal(directions.add(one), true);
    for (const same of [one, one.map((value) => -3 * value), one.map((value) => value + 0.3 * random.normal())]) {
      assert.equal(directions.add(same), false);
    }
    assert.equal(directions.add(new Float32Array(64)), false);
    assert.equal(directions.count, 1);
  });

  it('counts nearly all of many random directions, in bounded memory', () => {
    const directions = new Directions();
    for (let i = 0; i < 600; i++) directions.add(sketch(64));
    assert.ok(directions.count > 590, `${directions.count}`);
    assert.equal(directions.stored, 256);
  });
});

describe('what is remembered of a tenant', () => {
  it('forgets the rows that were seen longest ago', () => {
    const record = new TenantRecord(1);
    const row = sketch(32);
    record.seeRow({ cell: 1, sketch: row, rounding: 1e-5 });
    const moved = row.map((value) => value * 1.01);
    assert.equal(record.seeRow({ cell: 1, sketch: moved, rounding: 1e-5 }), 1);
    for (let cell = 2; cell < 12; cell++) record.seeRow({ cell, sketch: sketch(32), rounding: 1e-5 });
    record.trim(bounds);
    assert.equal(record.seeRow({ cell: 1, sketch: moved, rounding: 1e-5 }), 0);
  });

  it('forgets the oldest inputs, steps and sessions beyond its share', () => {
    const record = new TenantRecord(1);
    record.seeCotangent(1, sketch(64));
    assert.equal(record.seeCotangent(1, sketch(64)), 2);
    for (let cell = 2; cell < 8; cell++) record.seeCotangent(cell, sketch(64));
    for (let id = 0; id < 6; id++) record.setStep(`${id}`, step());
    for (const id of ['a', 'b', 'c']) record.session(id).push(7);
    record.trim(bounds);
    assert.equal(record.seeCotangent(1, sketch(64)), 1);
    assert.deepEqual(
      [0, 1, 2, 5].map((id) => record.step(`${id}`) !== undefined),
      [false, false, true, true],
    );
    assert.deepEqual(record.session('a'), []);
    assert.deepEqual(record.session('c'), [7]);
  });

  it('forgets steps of many rows before their number is reached, and keeps the last one', () => {
    const record = new TenantRecord(1);
    for (let id = 0; id < 3; id++) record.setStep(`${id}`, step());
    record.trim({ ...bounds, stepRows: 4 });
    assert.equal(record.step('1'), undefined);
    assert.ok(record.step('2'));
  });

  it('begins anew each day, but for its steps', () => {
    const record = new TenantRecord(1);
    const row = sketch(32);
    record.seeRow({ cell: 1, sketch: row, rounding: 1e-5 });
    record.seeCotangent(1, sketch(64));
    record.setStep('s', step());
    for (let i = 0; i < 16; i++) record.countVjp(true);
    assert.equal(record.firstAlarm('nearInputs'), true);
    assert.equal(record.firstAlarm('nearInputs'), false);
    assert.equal(record.shortAllowed(), false);
    assert.equal(record.nearAllowed(5), 9);
    record.turnTo(2);
    assert.equal(record.firstAlarm('nearInputs'), true);
    assert.equal(record.shortAllowed(), true);
    assert.equal(record.nearAllowed(5), 5);
    assert.equal(record.seeRow({ cell: 1, sketch: row.map((value) => value * 1.01), rounding: 1e-5 }), 0);
    assert.equal(record.seeCotangent(1, sketch(64)), 1);
    assert.ok(record.step('s'));
  });
});
