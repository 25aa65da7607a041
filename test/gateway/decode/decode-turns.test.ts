import assert from 'node:assert/strict';
import { DecodeTurns, type WaitingRows } from '../../../src/gateway/decode/decode-turns.js';
import { Gathering } from '../../../src/gateway/decode/gathering.js';

interface Work extends WaitingRows {
  readonly name: string;
  left: number;
}

describe('turns of decoding', () => {
  const work = (tenant: string, name: string, left: number): Work => ({ tenant, name, left });
  const start = (bounds = {}): DecodeTurns<Work> => new DecodeTurns({ chunkRows: 256, maxBatch: 4, ...bounds });

  /** Takes a turn as the loop does, and says what it was. */
  function take(turns: DecodeTurns<Work>): string {
    const expected = turns.nextRows;
    const turn = turns.next();
    if (turn === undefined) return 'nothing';
    const rows = turn.kind === 'chunk' ? turn.rows : turn.works.length;
    assert.equal(rows, expected, 'nextRows');
    if (turn.kind === 'steps') return `steps ${turn.works.map(({ name }) => name).join(' ')}`;
    turn.work.left -= turn.rows;
    if (turn.work.left > 0) turns.putBack(turn.work);
    return `${turn.work.name} ${turn.rows}`;
  }

  it('cuts rows into chunks, and takes all single rows together', () => {
    const turns = start();
    turns.push(work('a', 'long', 600));
    assert.deepEqual([take(turns), take(turns), take(turns), take(turns)], ['long 256', 'long 256', 'long 88', 'nothing']);
    for (const name of ['x', 'y', 'z']) turns.push(work('a', name, 1));
    assert.ok(turns.stepsAlone);
    assert.equal(take(turns), 'steps x y z');
    turns.push(work('a', 'draft', 3));
    assert.equal(take(turns), 'draft 3');
    assert.equal(turns.length, 0);
  });

  it('never stalls a step by more than one chunk, and no chunk for ever', () => {
    const turns = start();
    turns.push(work('a', 'long', 256 * 3));
    for (const name of ['1', '2', '3', '4', '5']) turns.push(work('b', name, 1));
    assert.equal(take(turns), 'long 256');
    turns.push(work('b', '6', 1));
    // All six have waited for a chunk: both batches go before the next one.
    assert.equal(take(turns), 'steps 1 2 3 4');
    turns.push(work('b', '7', 1));
    assert.equal(take(turns), 'steps 5 6 7');
    turns.push(work('b', '8', 1));
    assert.equal(take(turns), 'long 256');
    assert.equal(take(turns), 'steps 8');
    assert.equal(take(turns), 'long 256');
    assert.equal(take(turns), 'nothing');
  });

  it('takes turns between tenants, by rows', () => {
    const turns = start();
    for (let n = 0; n < 6; n++) turns.push(work('flood', `f${n}`, 1));
    turns.push(work('small', 's', 1));
    assert.match(take(turns), /\bs\b/, 'in the first step, though it came last');
    const chunks = start();
    chunks.push(work('flood', 'f0', 512));
    chunks.push(work('flood', 'f1', 512));
    chunks.push(work('small', 's', 256));
    const order = [take(chunks), take(chunks), take(chunks), take(chunks), take(chunks)];
    assert.ok(order.indexOf('s 256') <= 1, order.join());
    assert.deepEqual([...order].sort(), ['f0 256', 'f0 256', 'f1 256', 'f1 256', 's 256']);
  });

  it('forgets what waits no more', () => {
    const turns = start();
    const [step, chunk] = [work('a', 'step', 1), work('a', 'chunk', 9)];
    turns.push(step);
    turns.push(chunk);
    assert.ok(turns.remove(step));
    assert.equal(turns.remove(step), false);
    assert.equal(turns.length, 1);
    assert.deepEqual(turns.clear(), [chunk]);
    assert.equal(take(turns), 'nothing');
  });
});

describe('gathering of steps', () => {
  const start = (): Gathering<string> => new Gathering({ share: 0.5, maxMs: 5 });

  it('waits for sessions that were answered together, for half of their step and 5 ms at most', () => {
    const gathering = start();
    assert.equal(gathering.waitMs(0), 0);
    gathering.answered(['x', 'y'], 6, 100);
    gathering.seen('x');
    assert.equal(gathering.waitMs(101), 2);
    assert.equal(gathering.waitMs(103), 0);
    gathering.answered(['x', 'y'], 1000, 200);
    assert.equal(gathering.waitMs(200), 5);
    gathering.seen('x');
    gathering.seen('y');
    assert.equal(gathering.waitMs(201), 0);
  });

  it('waits for nothing when the session that steps is alone', () => {
    const gathering = start();
    gathering.answered(['x'], 10, 100);
    gathering.seen('x');
    assert.equal(gathering.waitMs(100), 0);
  });
});
