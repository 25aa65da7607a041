/** The parts of a simulation that are no federation: its time, its data. */
import assert from 'node:assert/strict';
import type { Example } from '../../../clients/typescript/data/examples.js';
import { type LabelledRecord, labelOf } from '../../../src/commands/simulation/labelled-data.js';
import { shareOut, takeTest } from '../../../src/commands/simulation/simulation-data.js';
import { VirtualClock } from '../../../src/commands/simulation/virtual-clock.js';

describe("a simulation's time", () => {
  it('jumps to the earliest timer, and runs those of one moment in the order in which they were set', () => {
    const clock = new VirtualClock();
    const ran: string[] = [];
    const start = clock.now();
    clock.schedule(start + 50, () => ran.push('late'));
    clock.schedule(start + 20, () => ran.push('first'));
    clock.schedule(start + 19.5, () => ran.push('second'));
    const cancel = clock.schedule(start + 10, () => ran.push('never'));
    cancel();
    assert.ok(clock.advance());
    assert.deepEqual(ran, ['first', 'second']);
    assert.equal(clock.now(), start + 20);
    assert.ok(clock.advance());
    assert.equal(clock.advance(), false);
    assert.deepEqual(ran, ['first', 'second', 'late']);
  });

  it('ends a sleep when its signal comes, and leaves no timer behind', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const sleep = clock.sleep(1000, stop.signal);
    stop.abort();
    await sleep;
    assert.equal(clock.advance(), false);
  });
});

describe("a simulation's data", () => {
  const records = Array.from({ length: 40 }, (_, index): LabelledRecord => {
    const example: Example = { tokenIds: Int32Array.of(index), labelMask: Uint8Array.of(1), promptLength: 0, source: `rows:${index + 1}` };
    return { examples: [example], label: index % 2 === 0 ? 'even' : 'odd' };
  });
  const ids = (examples: readonly Example[]): number[] => examples.map(({ tokenIds }) => tokenIds[0]!);

  it('trains, holds out and tests on different records, and uses every one', () => {
    const [rest, test] = takeTest(records, 0.25, 3);
    assert.equal(test.length, 10);
    const sites = shareOut(rest, { participants: 5, rule: { kind: 'iid' }, seed: 3, heldOutShare: 0.2 });
    for (const { training, heldOut } of sites) assert.deepEqual([training.length, heldOut.length], [5, 1]);
    const all = [
      ...test.flatMap(({ examples }) => ids(examples)),
      ...sites.flatMap(({ training, heldOut }) => ids([...training, ...heldOut])),
    ];
    assert.deepEqual(
      all.toSorted((a, b) => a - b),
      records.map((_, index) => index),
    );
  });

  it('counts the labels that each participant got', () => {
    const sites = shareOut(records, { participants: 2, rule: { kind: 'dirichlet', alpha: 0.01 }, seed: 1, heldOutShare: 0 });
    assert.equal(
      sites.reduce((sum, { labels }) => sum + (labels.even ?? 0), 0),
      20,
    );
    assert.ok(sites.every(({ heldOut }) => heldOut.length === 0));
  });

  it('reads labels from a field, by a pattern where there is one, and names the line that has none', () => {
    const row = { prompt: 'a', completion: ' red / hall / PLB' };
    assert.equal(labelOf(row, { field: 'completion', pattern: /\/ ([A-Z]+)$/ }, 'rows:1'), 'PLB');
    assert.equal(labelOf({ label: 3 }, { field: 'label' }, 'rows:1'), '3');
    assert.throws(() => labelOf(row, { field: 'label' }, 'rows:7'), {
      code: 'INVALID_DATA',
      message: /^rows:7: no text in the field "label"/,
    });
    assert.throws(() => labelOf(row, { field: 'completion', pattern: /^blue/ }, 'rows:7'), {
      code: 'INVALID_DATA',
      message: /does not match/,
    });
  });
});
