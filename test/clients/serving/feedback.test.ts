/**
 * `POST /v1/feedback` on the endpoint itself: kept for an improvement, on disk before it is
 * answered, or refused.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { feedbackStore } from '../../../clients/typescript/cli/serve/feedback-store.js';
import { ExampleLog } from '../../../clients/typescript/improvement/example-log.js';
import { Improvement } from '../../../clients/typescript/improvement/improvement.js';
import { copyInbox, Inbox } from '../../../clients/typescript/improvement/inbox.js';
import { Intake } from '../../../clients/typescript/improvement/intake.js';
import { plainVault } from '../../../clients/typescript/improvement/vault.js';
import { ClientBundle } from '../../../clients/typescript/index.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { type ScriptedServer, startScripted } from '../../support/scripted-model.js';
import { FakeTrainer } from '../improvement/fake-trainer.js';

const said = (prompt: string, verdict: unknown = 'accepted', more: object = {}) => ({ prompt, completion: 'pump', verdict, ...more });
const never = new AbortController().signal;

describe('feedback on the local endpoint', () => {
  let dir: string;
  let bundle: ClientBundle;
  let server: ScriptedServer | undefined;
  before(async () => {
    bundle = await ClientBundle.open((await packedFixture('llama-tiny')).bundleDir, { threads: 1 });
  });
  after(() => bundle.close());
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-feedback-'));
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  /** An improvement of the directory, open for some work. */
  const improving = async <T>(work: (improvement: Improvement) => Promise<T>, secret?: Uint8Array): Promise<T> => {
    const rule = { heldOutShare: 0, minRating: 4, everyMs: undefined, minNew: 20 };
    const bounds = { maxExamples: 100, rehearsal: 0.5, maxForgetting: 0.05, seed: 1, now: () => 7 };
    const improvement = await Improvement.open({ dir, trainer: new FakeTrainer(), secret, ...rule, ...bounds });
    try {
      return await work(improvement);
    } finally {
      await improvement.close();
    }
  };
  const store = (more: object = {}) => feedbackStore({ feedback: dir, ...more }, { bundle, maxLength: () => 64 });
  const post = async (body: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${server!.url}/v1/feedback`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return {
      status: answer.status,
      body: (await answer.json()) as Record<string, unknown> & { readonly error: { readonly message: string } },
    };
  };

  it('reaches the improvement, each piece once, in the last word about a completion', async () => {
    await improving(() => Promise.resolve());
    server = await startScripted({ pieces: ['a'] }, { feedback: await store() });
    const first = await post(
      JSON.stringify([said('a', 'accepted', { id: '1' }), said('b', { rating: 1 }), said('a', 'accepted', { id: '1' })]),
    );
    assert.deepEqual(first, { status: 201, body: { accepted: 2, duplicates: 1, rejected: 0, problems: [] } });
    const lines = [said('a', { corrected: 'valve' }, { id: '1' }), said('a', 'good')].map((piece) => JSON.stringify(piece)).join('\n');
    const second = await post(lines, { 'content-type': 'application/x-ndjson' });
    assert.deepEqual([second.status, second.body.accepted, second.body.rejected], [201, 1, 1]);
    await improving(async ({ inbox, intake, counts }) => {
      assert.equal(counts.stored, 0);
      assert.deepEqual(await inbox.take(intake), { accepted: 3, rejected: 0, firstProblem: undefined });
      assert.deepEqual(await inbox.take(intake), { accepted: 0, rejected: 0, firstProblem: undefined });
    });
    assert.deepEqual(await readdir(join(dir, 'inbox')), []);
    await improving(async (improvement) => {
      assert.deepEqual([improvement.counts.stored, improvement.counts.training], [3, 1], 'the correction alone is learned');
      assert.equal((await post(JSON.stringify(said('a', { corrected: 'valve' }, { id: '1' })))).status, 201);
      assert.deepEqual(await improvement.inbox.take(improvement.intake, never), { accepted: 0, rejected: 0, firstProblem: undefined });
    });
  });

  it('is refused where no store is configured, without the key, and where nothing is improved', async () => {
    server = await startScripted({ pieces: ['a'] }, { key: 'k'.repeat(24) });
    assert.equal((await post(JSON.stringify(said('a')))).status, 401);
    const refused = await post(JSON.stringify(said('a')), { authorization: `Bearer ${'k'.repeat(24)}` });
    assert.equal(refused.status, 404);
    assert.match(refused.body.error.message, /feedback: this endpoint keeps none; start it with --feedback DIR/);
    await assert.rejects(store(), { code: 'NOT_FOUND', message: /no directory of an improvement; start cutlayer client improve/ });
    assert.equal(await feedbackStore({}, { bundle, maxLength: () => 64 }), undefined);
  });

  it('that is no feedback is refused by what is wrong with it', async () => {
    await improving(() => Promise.resolve());
    server = await startScripted({ pieces: ['a'] }, { feedback: await store() });
    const wrong: readonly (readonly [string, number, RegExp])[] = [
      [JSON.stringify(said('a', { rating: 9 })), 400, /verdict: expected "accepted"/],
      [JSON.stringify({ ...said('a'), score: 3 }), 400, /there is no field score/],
      [JSON.stringify({ ...said('a'), prompt: 3 }), 400, /prompt: expected a text/],
      [JSON.stringify({ ...said('a'), prompt: null, messages: [{ role: 'nurse', content: 'x' }] }), 400, /role: expected one of/],
      ['{', 400, /body: not JSON/],
      ['[]', 400, /body: expected at least one example/],
      [JSON.stringify(said('x'.repeat(30_000))), 413, /--max-body/],
    ];
    for (const [body, status, message] of wrong) {
      const answer = await post(body);
      assert.equal(answer.status, status, body.slice(0, 80));
      assert.match(JSON.stringify(answer.body), new RegExp(message.source.replaceAll('"', '\\\\"')));
    }
    assert.equal((await post('a', { 'content-type': 'text/plain' })).status, 400);
    assert.deepEqual(await readdir(dir).then((names) => names.includes('inbox')), false, 'nothing is kept of it');
  });

  it('is encrypted where the store is, and a changed file is set aside and told', async () => {
    const passphraseFile = join(dir, 'passphrase');
    await writeFile(passphraseFile, 'correct horse battery\n');
    const secret = Buffer.from('correct horse battery');
    await improving(() => Promise.resolve(), secret);
    await assert.rejects(store(), { code: 'INVALID_OPTION', message: /--encrypt-key-file, --passphrase-file/ });
    server = await startScripted({ pieces: ['a'] }, { feedback: await store({ passphraseFile }) });
    await post(JSON.stringify(said('secret word')));
    await post(JSON.stringify(said('another word')));
    const inbox = join(dir, 'inbox');
    const [first, second] = (await readdir(inbox)).sort() as [string, string];
    assert.doesNotMatch(await readFile(join(inbox, first), 'utf8'), /secret|prompt|pump/);
    // A line belongs to its file: under another name it is not what was written.
    await writeFile(join(inbox, second), await readFile(join(inbox, first)));
    await improving(async (improvement) => {
      const taken = await improvement.inbox.take(improvement.intake);
      assert.deepEqual([taken.accepted, taken.rejected], [1, 1]);
      assert.match(taken.firstProblem ?? '', /\.json: not what client serve writes, or changed/);
    }, secret);
    assert.deepEqual(await readdir(inbox), [`${second}.refused`]);
  });

  it('that waits goes along to the next model, and is taken there once', async () => {
    await improving(() => Promise.resolve());
    server = await startScripted({ pieces: ['a'] }, { feedback: await store() });
    await post(JSON.stringify(said('a')));
    const other = join(dir, 'next');
    await copyInbox(dir, other);
    await copyInbox(dir, other);
    const log = await ExampleLog.open(other, plainVault, 9);
    const taken = await new Inbox(other, plainVault).take(new Intake(log, new FakeTrainer(), () => 7));
    await log.close();
    assert.deepEqual([taken.accepted, taken.rejected, log.size], [1, 0, 1]);
    assert.equal((await readdir(join(dir, 'inbox'))).length, 1);
  });

  it('is bounded while nothing takes it', async () => {
    const intake = new Intake(new Inbox(dir, plainVault, { mostFiles: 2 }), new FakeTrainer(), () => 7);
    const one = (n: number) => intake.feedback([JSON.stringify(said(`note ${n}`))]);
    await one(1);
    await one(2);
    await assert.rejects(one(3), { code: 'DATA_FULL', message: /2 requests wait .*run cutlayer client improve/ });
  });
});
