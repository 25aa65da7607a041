/** Stored examples: durable, bounded, each content once, encrypted when a key is given; and feedback on completions. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExampleLog } from '../../../clients/typescript/improvement/example-log.js';
import { Intake } from '../../../clients/typescript/improvement/intake.js';
import { part } from '../../../clients/typescript/improvement/stored-example.js';
import { openVault, plainVault, type Vault } from '../../../clients/typescript/improvement/vault.js';
import { readFeedback } from '../../../clients/typescript/intake/feedback.js';
import { FakeTrainer } from './fake-trainer.js';

const record = (n: number, completion = 'pump') => JSON.stringify({ prompt: `note ${n}`, completion });
const feedback = (verdict: unknown, more: object = {}) => JSON.stringify({ prompt: 'note', completion: 'pump', verdict, ...more });
const everything = { heldOutShare: 0, minRating: 4 };

describe('stored examples', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-stored-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  const within = async <T>(vault: Vault, work: (intake: Intake, log: ExampleLog) => Promise<T>, most = 100): Promise<T> => {
    const log = await ExampleLog.open(dir, vault, most);
    try {
      return await work(new Intake(log, new FakeTrainer(), () => 7), log);
    } finally {
      await log.close();
    }
  };
  const stored = () => readFile(join(dir, 'examples.jsonl'), 'utf8');

  it('are on disk when they are answered for, and each content is one, also after a restart', async () => {
    await within(plainVault, async (intake) => {
      assert.deepEqual(await intake.admit([record(1), record(2), record(1), '{"text": 1}'], 'port'), [
        'accepted',
        'accepted',
        'duplicate',
        { reason: 'expected prompt + completion' },
      ]);
      assert.equal((await stored()).split('\n').length, 3);
    });
    await within(plainVault, async (intake, log) => {
      assert.equal(log.size, 2);
      assert.deepEqual(await intake.admit([record(2), record(3)], 'data'), ['duplicate', 'accepted']);
    });
  });

  it('are bounded: what does not fit is refused as a whole', async () => {
    await within(
      plainVault,
      async (intake, log) => {
        await intake.admit([record(1), record(2)], 'port');
        await assert.rejects(intake.admit([record(3), record(4)], 'port'), {
          code: 'DATA_FULL',
          message: /2 of at most 3 are stored .* --max-examples/,
        });
        assert.equal(log.size, 2);
        const [long] = await intake.admit([record(5, 'x'.repeat(2 ** 20))], 'port');
        assert.match((long as { readonly reason: string }).reason, /expected at most 1048576 bytes/);
      },
      3,
    );
  });

  it('encrypted, show no text on disk and open with their key alone', async () => {
    const secret = Buffer.from('correct horse battery');
    await within(await openVault(dir, secret, true), (intake) => intake.admit([record(1, 'secret word'), record(2)], 'port'));
    for (const file of ['examples.jsonl', 'encryption.json']) {
      const bytes = await readFile(join(dir, file), 'utf8');
      for (const text of ['secret word', 'note', 'prompt', 'port', Buffer.from('secret word').toString('base64').slice(0, 12)])
        assert.ok(!bytes.includes(text), `${file} shows ${text}`);
    }
    await within(await openVault(dir, secret, false), async (_, log) => {
      assert.equal(log.examples[0]!.record, record(1, 'secret word'));
    });
    await assert.rejects(openVault(dir, Buffer.from('wrong horse battery'), false), { code: 'INVALID_OPTION', message: /not the one/ });
    await assert.rejects(openVault(dir, undefined, false), { code: 'INVALID_OPTION', message: /--encrypt-key-file, --passphrase-file/ });
  });

  it('encrypted, are refused when a line was changed, removed or moved', async () => {
    const vault = await openVault(dir, Buffer.from('correct horse battery'), true);
    await within(vault, (intake) => intake.admit([record(1), record(2), record(3)], 'port'));
    const [first, second, third] = (await stored()).split('\n') as [string, string, string];
    const changed = first.replace(/.(.{20}"\})$/, (_, rest: string) => `${first.at(-23) === 'A' ? 'B' : 'A'}${rest}`);
    for (const lines of [
      [second, first, third],
      [first, third],
      [changed, second, third],
    ]) {
      await writeFile(join(dir, 'examples.jsonl'), `${lines.join('\n')}\n`);
      await assert.rejects(ExampleLog.open(dir, vault, 100), { code: 'STORE_CORRUPT', message: /examples\.jsonl:[12]: / });
    }
  });

  it('begin encryption with the first one, not in the midst', async () => {
    await within(plainVault, (intake) => intake.admit([record(1)], 'port'));
    await assert.rejects(openVault(dir, Buffer.from('correct horse battery'), false), { code: 'INVALID_OPTION', message: /plain text/ });
    await writeFile(join(dir, 'encryption.json'), '{"format": "other"}');
    await assert.rejects(openVault(dir, Buffer.from('correct horse battery'), false), { code: 'STORE_CORRUPT' });
  });

  it('of feedback: accepted, corrected and well rated ones are trained on, in the last word about a completion', async () => {
    await within(plainVault, async (intake, log) => {
      const said = [
        feedback('accepted', { id: 'a' }),
        feedback({ rating: 2 }, { id: 'b', prompt: 'other' }),
        feedback({ rating: 5 }, { prompt: 'third' }),
        feedback({ corrected: 'valve' }, { id: 'a' }),
      ];
      assert.deepEqual(await intake.feedback(said), ['accepted', 'accepted', 'accepted', 'accepted']);
      const { training } = part(log.examples, log.size, everything);
      assert.deepEqual(
        training.map((example) => JSON.parse(example.record) as object),
        [
          { prompt: 'third', completion: 'pump' },
          { prompt: 'note', completion: 'valve' },
        ],
      );
      assert.equal(part(log.examples, log.size, { ...everything, minRating: 2 }).training.length, 3);
      assert.equal(part(log.examples, 3, everything).training.length, 2, 'as it was before the correction');
      // A better verdict later makes it count, at the place of the verdict.
      await intake.feedback([feedback({ rating: 5 }, { id: 'b', prompt: 'other' })]);
      assert.deepEqual(
        part(log.examples, log.size, everything).training.map(({ ordinal }) => ordinal),
        [2, 3, 4],
      );
    });
  });

  it('of a conversation hold the answer as its last message', () => {
    const messages = [{ role: 'user', content: 'Which part?' }];
    const { record: line } = readFeedback(JSON.stringify({ messages, completion: 'pump', verdict: { corrected: 'valve' } }));
    assert.deepEqual(JSON.parse(line), { messages: [...messages, { role: 'assistant', content: 'valve' }] });
  });

  it('of feedback count a null as absent', () => {
    const nothing = { messages: null, tools: null, id: null, task: null };
    assert.deepEqual(readFeedback(feedback('accepted', nothing)), readFeedback(feedback('accepted')));
  });

  it('of feedback that says nothing are refused by the field', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['[1]', /expected an object/],
      ['{', /not JSON/],
      [feedback('good'), /verdict: expected "accepted", \{"corrected": "the right text"\} or \{"rating": 1 to 5\}/],
      [feedback({ rating: 6 }), /verdict/],
      [feedback({ rating: 2.5 }), /verdict/],
      [feedback('accepted', { completion: '' }), /completion: expected the text/],
      [feedback('accepted', { messages: [{}] }), /either prompt or messages/],
      [feedback('accepted', { prompt: undefined }), /either prompt or messages/],
      [feedback('accepted', { prompt: 3 }), /prompt: expected a text/],
      [feedback('accepted', { id: 'x'.repeat(201) }), /id: expected/],
      [feedback('accepted', { score: 1 }), /there is no field score/],
      [feedback({ corrected: 'valve', rating: 1 }), /verdict: expected/],
    ];
    for (const [line, message] of wrong) assert.throws(() => readFeedback(line), { code: 'INVALID_DATA', message });
  });

  it('that a held-out file has are held out, also when they came before as others', async () => {
    await within(plainVault, async (intake, log) => {
      await intake.admit([record(1), record(2)], 'data');
      assert.deepEqual(await intake.admit([record(2)], 'heldOut'), ['accepted']);
      const { training, heldOut } = part(log.examples, log.size, everything);
      assert.deepEqual([training.map(({ ordinal }) => ordinal), heldOut.map(({ ordinal }) => ordinal)], [[0], [1]]);
    });
  });
});
