import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../../../src/coordinator/tables/database.js';
import { exhaustive, thorough } from '../../support/exhaustive.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';
import { contentOf, runScript, scriptLength, stepsDone } from '../../support/store-script.js';

const program = fileURLToPath(new URL('../../support/store-process.js', import.meta.url));

const start = (...argv: string[]): ChildProcess => spawn(process.execPath, [program, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });

/** What the process printed, and the signal that ended it. */
async function finished(child: ChildProcess): Promise<{ readonly printed: string; readonly signal: NodeJS.Signals | null }> {
  let printed = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { printed, signal };
}

for (const engine of storeEngines)
  describe(`store on ${engine.name}, killed`, () => {
    const places: StorePlace[] = [];
    const newTarget = (): string => {
      const place = engine.place();
      places.push(place);
      return place.target;
    };
    after(() => Promise.all(places.map((place) => place.remove())));

    thorough('has each transaction whole or not at all after kill -9 at every write, and goes on to the same end', async function () {
      this.timeout(600_000);
      // The content after each number of transactions, from a store that nobody killed.
      const contents = new Map<string, number>();
      const whole = await openDatabase(newTarget());
      contents.set(await contentOf(whole), 0);
      await runScript(whole);
      const end = await contentOf(whole);
      await whole.close();

      const { printed } = await finished(start('run', newTarget(), '-1'));
      const names = JSON.parse(printed) as string[];
      const commits = names.filter((name) => name === 'after commit').length;
      // The schema is made in the first commit.
      assert.equal(commits, scriptLength + 1);

      const attempt = async (at: number): Promise<void> => {
        const path = newTarget();
        const { signal } = await finished(start('run', path, String(at)));
        assert.equal(signal, 'SIGKILL', `write ${at}`);
        const database = await openDatabase(path);
        const committed = names.slice(0, at + 1).filter((name) => name === 'after commit').length;
        const steps = await stepsDone(database);
        assert.equal(steps, Math.max(0, committed - 1), `transactions after a kill ${names[at]} (write ${at})`);
        const content = await contentOf(database);
        // Two kills after the same number of commits leave the same content: nothing of the transaction that was cut off.
        if (!contents.has(content)) {
          assert.ok(![...contents.values()].includes(steps), `part of a transaction stayed after a kill ${names[at]} (write ${at})`);
          contents.set(content, steps);
        }
        assert.equal(contents.get(content), steps);
        await runScript(database);
        assert.equal(await contentOf(database), end, `the end after a kill ${names[at]} (write ${at})`);
        await database.close();
      };
      // Between one write's end and the next one's beginning nothing is written: to be killed at each end, and at the first beginning, is to be killed everywhere.
      const ends = [...names.keys()].filter((at) => at === 0 || names[at]!.startsWith('after'));
      const points = ends.filter((at, i) => exhaustive || i % 5 === 0 || names[at] === 'after commit');
      for (let i = 0; i < points.length; i += 2) await Promise.all(points.slice(i, i + 2).map(attempt));
      assert.equal(contents.get(end), scriptLength);
    });

    it('lets the next process in as soon as the one that served it was killed, and not before', async () => {
      const path = newTarget();
      const holder = start('hold', path);
      await once(holder.stdout!, 'data');
      await assert.rejects(openDatabase(path), {
        code: 'STORE_IN_USE',
        message: `store ${path}: expected to be its only user, but another process serves it; stop that one first`,
      });
      holder.kill('SIGKILL');
      await once(holder, 'close');
      await (await openDatabase(path)).close();
    });
  });
