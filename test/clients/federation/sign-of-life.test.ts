import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { withSignsOfLife } from '../../../clients/typescript/federation/sign-of-life.js';

describe('a member at work', () => {
  let clock: typeof mock;
  beforeEach(() => {
    clock = mock;
    clock.timers.enable({ apis: ['setInterval'] });
  });
  afterEach(() => clock.timers.reset());

  /** Work that ends when it is told to. */
  const work = () => {
    let end!: (value: string) => void;
    const done = new Promise<string>((resolve) => {
      end = resolve;
    });
    return { end, run: () => done };
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it('calls at each interval, failures or not, and no more once the work is done', async () => {
    let calls = 0;
    const { end, run } = work();
    const result = withSignsOfLife(async () => assert.fail(`away ${++calls}`), 1000, run);
    for (let second = 1; second <= 3; second++) {
      clock.timers.tick(1000);
      await settled();
      assert.equal(calls, second);
    }
    end('done');
    assert.equal(await result, 'done');
    clock.timers.tick(5000);
    assert.equal(calls, 3);
  });

  it('makes no second call while one is under way', async () => {
    let calls = 0;
    const { end, run } = work();
    const result = withSignsOfLife(() => new Promise(() => calls++), 1000, run);
    clock.timers.tick(5000);
    end('done');
    await result;
    assert.equal(calls, 1);
  });

  it('calls never where the interval is 0, and throws what the work throws', async () => {
    const never = () => assert.fail('called');
    await assert.rejects(
      withSignsOfLife(never, 0, async () => assert.fail('no data')),
      /no data/,
    );
    await assert.rejects(
      withSignsOfLife(never, 1000, async () => assert.fail('no data')),
      /no data/,
    );
    clock.timers.tick(5000);
  });
});
