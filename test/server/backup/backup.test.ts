import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../../src/coordinator/tables/database.js';
import { migrations } from '../../../src/coordinator/tables/schema.js';
import { CutlayerError } from '../../../src/errors.js';
import { restoreBackup } from '../../../src/server/backup/restore-backup.js';
import { writeBackup } from '../../../src/server/backup/write-backup.js';
import { type StorePlace, storeEngines, type TestEngine } from '../../support/store-engines.js';
import { contentOf, FEDERATION, runScript } from '../../support/store-script.js';

const source = ({ target }: StorePlace, stateDir: string) => ({ role: 'coordinator', target, schema: 'unused', stateDir }) as const;

describe('a backup', () => {
  let dir: string;
  let file: string;
  let keys: string;
  const places: StorePlace[] = [];
  const newPlace = (engine: TestEngine = storeEngines[0]!): StorePlace => {
    const place = engine.place();
    places.push(place);
    return place;
  };
  const into = (place: StorePlace, force = false) => ({ ...source(place, join(dir, 'restored')), migrations, force });

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-backup-'));
    file = join(dir, 'a.backup');
    keys = join(dir, 'state');
    await mkdir(keys, { mode: 0o700 });
    await writeFile(join(keys, 'key.hex'), 'secret', { mode: 0o600 });
    await writeFile(join(keys, 'ca.pem'), 'public', { mode: 0o644 });
    for (const name of ['local-server.json', 'other.db', 'other.db-wal']) await writeFile(join(keys, name), 'not kept');
  });
  afterEach(async () => {
    for (const place of places.splice(0)) await place.remove();
    await rm(dir, { recursive: true, force: true });
  });

  /** The first backup of each engine: later tests begin with a copy of it. */
  const made = new Map<TestEngine, { readonly bytes: Uint8Array; readonly content: string }>();

  /** A backup of a store that is open, and its content. */
  const backedUp = async (engine: TestEngine = storeEngines[0]!): Promise<string> => {
    const earlier = made.get(engine);
    if (earlier !== undefined) {
      await writeFile(file, earlier.bytes, { mode: 0o600 });
      return earlier.content;
    }
    const place = newPlace(engine);
    const store = await openDatabase(place.target);
    await runScript(store);
    const content = await contentOf(store);
    const report = await writeBackup(file, source(place, keys), 1);
    assert.equal(report.files, 2);
    // What comes later is not in it.
    await store.transaction((tx) => tx.federations.update(FEDERATION, { status: 'later', state: {}, at: 9 }));
    await store.close();
    made.set(engine, { bytes: await readFile(file), content });
    return content;
  };
  const contentAt = async (place: StorePlace): Promise<string> => {
    const store = await openDatabase(place.target);
    const content = await contentOf(store);
    await store.close();
    return content;
  };

  for (const from of storeEngines)
    for (const to of storeEngines)
      it(`of a running ${from.name} comes back on ${to.name}, keys and all`, async function () {
        this.timeout(60_000);
        const content = await backedUp(from);
        assert.equal((await stat(file)).mode & 0o777, 0o600);
        const place = newPlace(to);
        assert.equal((await restoreBackup(file, into(place))).files, 2);
        assert.equal(await contentAt(place), content);
        assert.equal(await readFile(join(dir, 'restored', 'key.hex'), 'utf8'), 'secret');
        assert.equal((await stat(join(dir, 'restored', 'key.hex'))).mode & 0o777, 0o600);
        assert.ok(!existsSync(join(dir, 'restored', 'local-server.json')));
      });

  for (const engine of storeEngines)
    it(`replaces a store on ${engine.name} only by force, and never one that is open`, async function () {
      this.timeout(60_000);
      const content = await backedUp();
      const place = newPlace(engine);
      const store = await openDatabase(place.target);
      await runScript(store);
      await store.transaction((tx) => tx.federations.update(FEDERATION, { status: 'other', state: {}, at: 9 }));
      await assert.rejects(restoreBackup(file, into(place, true)), { code: 'STORE_IN_USE' });
      await store.close();
      const other = await contentAt(place);
      await assert.rejects(restoreBackup(file, into(place)), { code: 'ALREADY_EXISTS', message: /--force replaces/ });
      assert.equal(await contentAt(place), other);
      await restoreBackup(file, into(place, true));
      assert.equal(await contentAt(place), content);
    });

  for (const engine of storeEngines)
    it(`is looked at before it replaces a store on ${engine.name}, and leaves nothing when it is refused`, async function () {
      this.timeout(60_000);
      const content = await backedUp();
      const place = newPlace(engine);
      await (await openDatabase(place.target)).close();
      const empty = await contentAt(place);
      const seen: string[] = [];
      const check = async (target: string): Promise<void> => {
        seen.push(await contentAt({ ...place, target }));
        throw new CutlayerError('STORE_TOO_OLD', 'as the test says');
      };
      await assert.rejects(restoreBackup(file, { ...into(place, true), check }), { code: 'STORE_TOO_OLD', message: 'as the test says' });
      assert.deepEqual([seen, await contentAt(place)], [[content], empty]);
      assert.ok(!existsSync(join(dir, 'restored', 'key.hex')));
      assert.deepEqual(await place.beside(), []);
    });

  it('is refused when it is damaged, cut off or something else, and nothing is made', async () => {
    await backedUp();
    const whole = await readFile(file);
    const place = newPlace();
    const refused = async (bytes: Uint8Array, code: string): Promise<void> => {
      await writeFile(file, bytes);
      await assert.rejects(restoreBackup(file, into(place)), { code });
      assert.ok(!existsSync(place.target) && !existsSync(join(dir, 'restored')));
    };
    const damaged = Buffer.from(whole);
    damaged[whole.length >> 1]! ^= 1;
    await refused(damaged, 'DIGEST_MISMATCH');
    await refused(whole.subarray(0, -10), 'DIGEST_MISMATCH');
    await refused(Buffer.from('x'.repeat(500)), 'DIGEST_MISMATCH');
    await refused(Buffer.from('x'), 'INVALID_ARGUMENT');
    await writeFile(file, whole);
    await assert.rejects(restoreBackup(file, { ...into(place), role: 'gateway' }), { code: 'INVALID_ARGUMENT', message: /of a gateway/ });
    const { '0003-federations': first } = migrations;
    await assert.rejects(restoreBackup(file, { ...into(place), migrations: { '0003-federations': first! } }), { code: 'STORE_TOO_NEW' });
  });

  it('is written once: no file is replaced, and none is left of one that fails', async () => {
    await backedUp();
    const place = newPlace();
    await assert.rejects(writeBackup(join(dir, 'b.backup'), source(place, keys), 1), { code: 'NOT_FOUND' });
    assert.ok(!existsSync(join(dir, 'b.backup')));
    const other = newPlace();
    await (await openDatabase(other.target)).close();
    await assert.rejects(writeBackup(file, source(other, keys), 1), { code: 'ALREADY_EXISTS' });
  });

  it('refuses to replace a key without force', async () => {
    await backedUp();
    await mkdir(join(dir, 'restored'), { mode: 0o700 });
    await writeFile(join(dir, 'restored', 'key.hex'), 'newer', { mode: 0o600 });
    await assert.rejects(restoreBackup(file, into(newPlace())), { code: 'ALREADY_EXISTS', message: /key\.hex: is there already/ });
    assert.equal(await readFile(join(dir, 'restored', 'key.hex'), 'utf8'), 'newer');
  });
});
