/** `cutlayer coordinator backup` and `restore`, as an operator runs them beside a coordinator. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coordinatorOptions } from '../../../src/coordinator/config.js';
import { type RunningCoordinator, runCoordinator } from '../../../src/coordinator/run.js';
import { openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { parseOptions } from '../../../src/options/parse-options.js';
import { createLogger } from '../../../src/server/observability/log.js';
import { cutlayerHere } from '../../support/command-here.js';
import { coordinatorKey, founderKey, testManifest } from '../../support/coordinator-rig.js';
import { giveOrder } from '../../support/founder-orders.js';
import { type StorePlace, storeEngines } from '../../support/store-engines.js';

const manifest = testManifest({ evaluation: null });

for (const engine of storeEngines)
  describe(`a coordinator's backup on ${engine.name}`, function () {
    this.timeout(60_000);
    let dir: string;
    let file: string;
    let latest: string;
    const places: StorePlace[] = [];
    /** A state directory, and flags that name it and its database. */
    const newSite = (name: string) => {
      const stateDir = join(dir, name);
      if (engine.name === 'SQLite') return { stateDir, flags: ['--state-dir', stateDir], options: { stateDir } };
      const place = engine.place();
      places.push(place);
      const { target: database } = place;
      return { stateDir, flags: ['--state-dir', stateDir, '--database', database], options: { stateDir, database } };
    };
    type Site = ReturnType<typeof newSite>;
    let home: Site;

    const serve = ({ options }: Site, more: object = {}): Promise<RunningCoordinator> =>
      runCoordinator(
        parseOptions(coordinatorOptions, { listen: '127.0.0.1:0', admin: '127.0.0.1:0', insecure: true, ...options, ...more }),
        createLogger({ level: 'silent' }),
      );
    const run = (word: 'backup' | 'restore', { flags }: Site, ...more: string[]) =>
      cutlayerHere(['coordinator', word, more[0] ?? file, ...flags, ...more.slice(1)]);

    /** A coordinator is backed up while it serves; then its federation goes on by a round. */
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'cutlayer-coordinator-backup-'));
      file = join(dir, 'a.backup');
      home = newSite('home');
      latest = join(home.stateDir, 'coordinator.db.latest');
      await mkdir(home.stateDir, { mode: 0o700 });
      for (const [name, { privateKey }] of Object.entries({ coordinator: coordinatorKey, founder: founderKey }))
        await writeFile(join(home.stateDir, `${name}-key.hex`), `${Buffer.from(privateKey).toString('hex')}\n`, { mode: 0o600 });
      const running = await serve(home);
      await running.coordinator.create(manifest, new Float32Array(8));
      const made = await run('backup', home);
      assert.deepEqual([made.code, made.stderr], [0, '']);
      assert.match(made.stdout, /a\.backup: \d+ rows and \d+ files; it holds keys/);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const during = await run('restore', home, file, '--force');
      assert.equal(during.code, 1);
      assert.match(during.stderr, /error STORE_IN_USE/);
      await giveOrder(running.coordinator, manifest.id, { kind: 'start' }, founderKey);
      await running.close();
    });
    after(async () => {
      for (const place of places.splice(0)) await place.remove();
      await rm(dir, { recursive: true, force: true });
    });

    it('goes on elsewhere with its keys and federations, and says what nothing there can know', async () => {
      const site = newSite('elsewhere');
      const { code, stderr } = await run('restore', site);
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^note: nothing here tells whether federations have gone on since this backup; a member that has seen more answers/,
      );
      assert.ok(!existsSync(join(site.stateDir, 'coordinator.db.latest')), "the newest state is not a backup's to tell");
      for (const name of ['coordinator-key.hex', 'founder-key.hex', 'signing-keys.json', 'identity.json']) {
        assert.deepEqual(await readFile(join(site.stateDir, name)), await readFile(join(home.stateDir, name)), name);
        assert.equal((await stat(join(site.stateDir, name))).mode, (await stat(join(home.stateDir, name))).mode, name);
      }
      const running = await serve(site);
      const [report] = await running.coordinator.status();
      assert.deepEqual([report?.federation, report?.state], [manifest.id, 'created']);
      await running.close();
    });

    it('is refused over a federation that has gone on, by force too, and nothing is changed', async () => {
      const before = await readFile(latest);
      const { code, stderr } = await run('restore', home, file, '--force');
      assert.equal(code, 1);
      assert.match(
        stderr,
        /error STORE_TOO_OLD: .* ends with broadcast 0, round 0, and has been at broadcast 0, round 1\. Put the newest database back/,
      );
      assert.deepEqual(await readFile(latest), before);
      const running = await serve(home);
      assert.equal((await running.coordinator.status())[0]?.state, 'running');
      await running.close();
    });

    it('is refused by a file on other storage, at restore and at serve', async () => {
      const site = newSite('known');
      const elsewhere = join(dir, 'elsewhere.latest');
      await copyFile(latest, elsewhere);
      const { code, stderr } = await run('restore', site, file, '--latest-file', elsewhere);
      assert.equal(code, 1);
      assert.match(stderr, /error STORE_TOO_OLD/);
      assert.equal((await run('restore', site)).code, 0);
      await assert.rejects(serve(site, { latestFile: elsewhere }), {
        code: 'STORE_TOO_OLD',
        message: /If it is lost, the federation is over/,
      });
      await copyFile(latest, join(site.stateDir, 'coordinator.db.latest'));
      await assert.rejects(serve(site), { code: 'STORE_TOO_OLD' });
    });
  });

describe("a coordinator's restore", () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-coordinator-restore-'));
    file = join(dir, 'a.backup');
    await (await openGatewayDatabase(join(dir, 'gateway.db'))).close();
    const made = await cutlayerHere(['gateway', 'backup', file, '--state-dir', dir]);
    assert.equal(made.code, 0, made.stderr);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const refused = async (bytes: string | Uint8Array, role: 'gateway' | 'coordinator', message: RegExp): Promise<void> => {
    const given = join(dir, 'given.backup');
    await writeFile(given, bytes);
    const stateDir = join(dir, 'new');
    const { code, stderr } = await cutlayerHere([role, 'restore', given, '--state-dir', stateDir]);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.ok(!existsSync(stateDir), 'nothing is made');
  };
  /** The file with other lines, and their own sum. */
  const remade = async (change: (lines: string[]) => string[]): Promise<string> => {
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n').slice(0, -1);
    const text = change(lines)
      .map((line) => `${line}\n`)
      .join('');
    return `${text}${JSON.stringify({ sha256: createHash('sha256').update(text).digest('hex') })}\n`;
  };
  const header =
    (change: object) =>
    ([first, ...rest]: string[]) => [JSON.stringify({ ...JSON.parse(first!), ...change }), ...rest];

  it("takes no gateway's backup, and a gateway takes none of a coordinator", async () => {
    await refused(
      await readFile(file),
      'coordinator',
      /error INVALID_ARGUMENT: .*expected a backup of a coordinator, got one of a gateway/,
    );
    const other = await remade(header({ role: 'coordinator' }));
    await refused(other, 'gateway', /error INVALID_ARGUMENT: .*expected a backup of a gateway, got one of a coordinator/);
  });

  it('takes no file that is cut off, nor one of a newer program', async () => {
    await refused((await readFile(file)).subarray(0, -20), 'coordinator', /error DIGEST_MISMATCH: .*without its last line/);
    const newer = await remade(header({ role: 'coordinator', migrations: ['9999-newer'] }));
    await refused(newer, 'coordinator', /error STORE_TOO_NEW: .*got 9999-newer; use a newer cutlayer/);
  });

  it('takes no file that would replace a database, or what it knows of newer ones', async () => {
    for (const name of ['coordinator.db', 'coordinator.db.latest', '../coordinator-key.hex', 'server.json']) {
      const line = JSON.stringify({ file: name, mode: 0o600, base64: '' });
      const forged = await remade((lines) => [...header({ role: 'coordinator', migrations: [] })(lines).slice(0, 1), line]);
      await refused(forged, 'coordinator', /error INVALID_ARGUMENT: .*expected a file that backup has written, got another/);
    }
  });

  it('has no store to back up where there is none', async () => {
    const { code, stderr } = await cutlayerHere(['coordinator', 'backup', join(dir, 'b.backup'), '--state-dir', dir]);
    assert.equal(code, 1);
    assert.match(stderr, /error NOT_FOUND: store .*coordinator\.db: there is none; is --state-dir or --database right\?/);
  });
});
