/** One client's improvement: what is trained on, what is promoted, and what a kill at any point leaves. */
import assert from 'node:assert/strict';
import { appendFile, cp, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFiles } from '../../../clients/typescript/improvement/data-files.js';
import {
  Improvement,
  type ImprovementEvent,
  type ImprovementOptions,
  rollBack,
} from '../../../clients/typescript/improvement/improvement.js';
import { readJournal, versionsOfJournal } from '../../../clients/typescript/improvement/journal.js';
import { CutlayerError } from '../../../src/errors.js';
import { FakeTrainer } from './fake-trainer.js';

const lines = (completion: string, from: number, count: number) =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ prompt: `ticket ${from + n}`, completion }));
const never = new AbortController().signal;

describe('improvement of one client', () => {
  let dir: string;
  let trainer: FakeTrainer;
  const events: ImprovementEvent[] = [];
  const options = (more: Partial<ImprovementOptions> = {}): ImprovementOptions => ({
    dir,
    trainer,
    maxExamples: 1000,
    heldOutShare: 0.3,
    minRating: 4,
    rehearsal: 0.5,
    maxForgetting: 0.05,
    seed: 1,
    everyMs: undefined,
    minNew: 20,
    now: () => 1_000_000,
    onEvent: (event) => events.push(event),
    ...more,
  });
  /** Opens, works, closes. */
  const within = async <T>(work: (improvement: Improvement) => Promise<T>, more: Partial<ImprovementOptions> = {}): Promise<T> => {
    const improvement = await Improvement.open(options(more));
    try {
      return await work(improvement);
    } finally {
      await improvement.close();
    }
  };
  const statuses = async (of = dir) => versionsOfJournal(await readJournal(of)).map(({ status }) => status);
  const served = async (of = dir) => JSON.parse(await readFile(join(of, 'adapter', 'known.json'), 'utf8')) as string[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-improve-'));
    trainer = new FakeTrainer();
    events.length = 0;
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('trains on new examples with a share of earlier ones, from the promoted version, and never on held-out ones', async () => {
    await within(async (improvement) => {
      assert.equal(improvement.due, undefined, 'there is nothing yet');
      await improvement.admit(lines('pump', 0, 60));
      assert.match(improvement.due ?? '', /new examples \(--min-new 20\)/);
      const { training, heldOut } = improvement.counts;
      assert.equal(training + heldOut, 60);
      assert.ok(heldOut >= 9 && heldOut <= 30, `${heldOut} of 60 are held out`);
      const first = await improvement.run(never);
      assert.equal(first?.promote, true, first?.reasons.join());
      assert.equal(trainer.tasks[0]!.examples.length, training);
      assert.equal(improvement.due, undefined, 'the same examples start no other run');
      await improvement.admit(lines('valve', 100, 60));
      const second = await improvement.run(never);
      assert.equal(second?.promote, true, second?.reasons.join());
      const { from, examples } = trainer.tasks[1]!;
      assert.match(from, /versions\/v000001$/);
      const pumps = examples.filter(({ tokenIds }) => tokenIds[0] === 'p'.charCodeAt(0)).length;
      const valves = examples.length - pumps;
      assert.equal(pumps, Math.min(training, valves), 'half of the run is rehearsal');
      const heldOutNow = improvement.counts.heldOut;
      assert.equal(second?.current?.examples, heldOutNow, 'all that is held out is measured');
      assert.equal(second?.earlier?.examples, heldOut);
    });
    assert.deepEqual(await statuses(), ['superseded', 'superseded', 'promoted']);
    assert.deepEqual(await served(), ['pump', 'valve']);
  });

  it('keeps the promoted version when a candidate forgets, says why, and does not try again at once', async () => {
    await within(async (improvement) => {
      await improvement.admit(lines('pump', 0, 60));
      await improvement.run(never);
      trainer.forgets = ['pump'];
      await improvement.admit(lines('valve', 100, 200));
      const decision = await improvement.run(never);
      assert.equal(decision?.promote, false);
      assert.match(decision!.reasons[0]!, /earlier held-out examples: \+1\.9000 .* forgotten, more than --max-forgetting 0\.05/);
      assert.equal(improvement.due, undefined);
      assert.equal(improvement.promoted, 1);
      // What only the kept-away candidate has seen is new for the next run.
      trainer.forgets = [];
      await improvement.admit(lines('motor', 900, 30));
      await improvement.run(never);
      assert.ok(trainer.tasks[2]!.examples.some(({ tokenIds }) => tokenIds[0] === 'v'.charCodeAt(0)));
    });
    assert.deepEqual(await statuses(), ['superseded', 'superseded', 'rejected', 'promoted']);
  });

  it('loses nothing when it is killed while training, measuring or promoting: another process ends with the same versions', async () => {
    const copies: string[] = [];
    const kill = async (at: string) => {
      const copy = `${dir}-${at}`;
      copies.push(copy);
      await cp(dir, copy, { recursive: true, verbatimSymlinks: true });
      await rm(join(copy, 'run.lock'), { force: true }); // the dead process's
    };
    const originalDir = dir;
    try {
      trainer.hooks.train = () => kill('train');
      trainer.hooks.measure = (adapterDir) => kill(`measure-${adapterDir.slice(-1)}`);
      await within(async (improvement) => {
        await improvement.admit(lines('pump', 0, 60));
        await kill('before');
        await improvement.run(never);
      });
      await kill('promoted');
      // After the journal's line and before its effect; and in the middle of a line.
      const unlinked = `${originalDir}-unlinked`;
      copies.push(unlinked);
      await cp(`${originalDir}-measure-1`, unlinked, { recursive: true, verbatimSymlinks: true });
      await cp(join(originalDir, 'journal.jsonl'), join(unlinked, 'journal.jsonl'));
      await appendFile(join(unlinked, 'journal.jsonl'), '{"kind":"sta');
      await appendFile(join(unlinked, 'examples.jsonl'), '{"record":"{');
      const expected = { statuses: await statuses(), served: await served() };
      assert.deepEqual(expected, { statuses: ['superseded', 'promoted'], served: ['pump'] });
      for (const copy of copies) {
        trainer = new FakeTrainer();
        dir = copy;
        await within(async (improvement) => {
          assert.equal(improvement.counts.stored, 60, copy);
          if (improvement.due !== undefined) await improvement.run(never);
        });
        assert.deepEqual({ statuses: await statuses(), served: await served() }, expected, copy);
        assert.deepEqual(
          (await readdir(copy, { recursive: true })).filter((name) => name.includes('.tmp-')),
          [],
        );
      }
    } finally {
      dir = originalDir;
      for (const copy of copies) await rm(copy, { recursive: true, force: true });
    }
  });

  it('stops at a signal and goes on with the same examples; other settings begin the run anew', async () => {
    const stop = new AbortController();
    trainer.hooks.train = async () => stop.abort();
    await within(async (improvement) => {
      await improvement.admit(lines('pump', 0, 60));
      assert.equal(await improvement.run(stop.signal), undefined);
    });
    delete trainer.hooks.train;
    await within(async (improvement) => {
      await improvement.admit(lines('valve', 100, 10));
      assert.equal(improvement.due, 'an unfinished run is there');
      await improvement.run(never);
    });
    const [first, second] = trainer.tasks;
    assert.equal(second!.runDir, first!.runDir);
    assert.equal(second!.examples.length, first!.examples.length);
    await within((improvement) => improvement.admit(lines('motor', 200, 30)));
    trainer.hooks.train = async () => Promise.reject(new CutlayerError('UNAVAILABLE', 'gateway: gone'));
    await assert.rejects(
      within((improvement) => improvement.run(never)),
      { code: 'UNAVAILABLE' },
    );
    delete trainer.hooks.train;
    trainer.recipe = 'another';
    await within((improvement) => improvement.run(never));
    assert.ok(events.some((event) => event.type === 'abandoned' && /settings/.test(event.reason)));
    assert.notEqual(trainer.tasks.at(-1)!.runDir, trainer.tasks.at(-2)!.runDir);
  });

  it('gives up a run that diverges, and starts the next one with later examples', async () => {
    trainer.hooks.train = async () => Promise.reject(new CutlayerError('DIVERGED', 'the loss is NaN'));
    await within(async (improvement) => {
      await improvement.admit(lines('pump', 0, 60));
      await assert.rejects(improvement.run(never), { code: 'DIVERGED' });
      assert.equal(improvement.due, undefined);
      delete trainer.hooks.train;
      await improvement.admit(lines('valve', 100, 40));
      assert.equal((await improvement.run(never))?.promote, true);
    });
  });

  it('goes back to an earlier version in one step, and forward again; not to one that was kept away', async () => {
    await within(async (improvement) => {
      await improvement.admit(lines('pump', 0, 60));
      await improvement.run(never);
      trainer.forgets = ['pump'];
      await improvement.admit(lines('valve', 100, 60));
      await improvement.run(never);
      await assert.rejects(
        rollBack(dir, 0, () => 5),
        { code: 'ALREADY_EXISTS' },
      );
    });
    assert.equal(await rollBack(dir, 0, () => 5), 1);
    assert.equal(await readlink(join(dir, 'adapter')), 'versions/v000000');
    assert.deepEqual(await served(), []);
    assert.deepEqual(await statuses(), ['promoted', 'rolledBack', 'rejected']);
    await assert.rejects(
      rollBack(dir, 2, () => 5),
      { code: 'INVALID_ARGUMENT', message: /--rollback 2: expected a version that was promoted once/ },
    );
    assert.equal(await rollBack(dir, 1, () => 6), 0);
    assert.deepEqual(await served(), ['pump']);
    await rm(join(dir, 'versions', 'v000000'), { recursive: true });
    await assert.rejects(
      rollBack(dir, 0, () => 5),
      { code: 'NOT_FOUND' },
    );
  });

  it('lets one process have a directory, and refuses another backbone by naming the command for it', async () => {
    await within(async () => {
      await assert.rejects(Improvement.open(options()), {
        code: 'ALREADY_EXISTS',
        message: /has been improving here since .* choose another --dir/,
      });
    });
    trainer.backboneDigest = 'c'.repeat(64);
    await assert.rejects(Improvement.open(options()), { code: 'BACKBONE_MISMATCH', message: /cutlayer client migrate --run/ });
  });

  it('reads files and folders once, what they gain later, and says which lines are no examples', async () => {
    const file = join(dir, 'data.jsonl');
    await writeFile(file, `${lines('pump', 0, 3).join('\n')}\n{"prompt": "half`);
    const files = new DataFiles(dir, 'data', '--data');
    await rm(join(dir, 'run.lock'), { force: true });
    const state = join(dir, 'state');
    await within(
      async (improvement) => {
        const first = await files.take(improvement.intake);
        assert.deepEqual([first.accepted, first.rejected], [3, 1]);
        assert.match(first.firstProblem ?? '', /data\.jsonl:4: /);
        await writeFile(file, `${[...lines('pump', 0, 3), ...lines('valve', 9, 2)].join('\n')}\n`);
        await writeFile(join(dir, 'more.csv'), 'prompt,completion\nticket 77,pipe\nticket 0,pump\n');
        assert.equal((await files.take(improvement.intake)).accepted, 3);
        assert.equal(improvement.counts.stored, 6);
        assert.deepEqual(await files.take(improvement.intake), { accepted: 0, rejected: 0, firstProblem: undefined });
      },
      { dir: state },
    );
    await assert.rejects(new DataFiles(join(dir, 'none'), 'data', '--data').take({} as never), {
      code: 'NOT_FOUND',
      message: /--data .*none/,
    });
  });
});
