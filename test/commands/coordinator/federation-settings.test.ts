/** What a founder writes: settings in a file and on the command line, and the roster. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRoster } from '../../../src/commands/coordinator/roster.js';
import { readSettings } from '../../../src/commands/coordinator/settings-input.js';
import { federationSettingsSchema } from '../../../src/protocol/federation/settings.js';

const keyA = 'aa'.repeat(32);
const keyB = 'bb'.repeat(32);

describe('settings of a federation', () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-settings-'));
    file = join(dir, 'federation.yaml');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const fromFile = async (yaml: string, ...single: string[]) => {
    await writeFile(file, yaml);
    return readSettings({ file, single });
  };

  it('need no more than a name: the rest has the defaults of the manifest', async () => {
    const { settings, isGiven } = await readSettings({ single: ['name=ward notes'] });
    assert.deepEqual(settings, federationSettingsSchema.parse({ name: 'ward notes' }));
    assert.equal(isGiven('name'), true);
    assert.equal(isGiven('training', 'learningRate'), false);
  });

  it('come from a file, with keys in camelCase or with dashes, in the settings of the adapter too', async () => {
    const { settings, isGiven } = await fromFile(
      'name: mail\nadapter: { settings: { virtual-tokens: 4 } }\nsecure-aggregation: { bits: 24 }\ntraining: { learningRate: 0.5 }\n',
    );
    assert.deepEqual(settings.adapter, { method: 'prompt-tuning', settings: { virtualTokens: 4 } });
    assert.equal(settings.secureAggregation?.bits, 24);
    assert.equal(isGiven('training', 'learningRate'), true);
  });

  it('of the command line replace those of the file, and leave what is beside them', async () => {
    const { settings } = await fromFile(
      'name: mail\ncohort: { min: 4, max: 9 }\n',
      'cohort.min=5',
      'rounds.count=2',
      'strategy.kind=fedadam',
    );
    assert.deepEqual([settings.cohort.min, settings.cohort.max, settings.rounds.count], [5, 9, 2]);
    assert.deepEqual(settings.strategy.kind, 'fedadam');
  });

  it('can be switched off, and on again from their defaults', async () => {
    assert.equal((await readSettings({ single: ['name=x', 'secureAggregation=null'] })).settings.secureAggregation, null);
    const { settings } = await fromFile('name: x\nsecureAggregation: null\n', 'secureAggregation.bits=20');
    assert.equal(settings.secureAggregation?.bits, 20);
  });

  const wrong: readonly [string, string, string[], RegExp][] = [
    ['a misspelt key', 'name: x\ncohrt: { min: 3 }\n', [], /federation\.yaml: cohrt: there is no such setting; did you mean cohort\?/],
    ['a misspelt key inside', 'name: x\ncohort: { minn: 3 }\n', [], /yaml: cohort\.minn: .*did you mean min\?/],
    ['a misspelt key of one alternative', 'name: x\nstrategy: { kind: fedprox, muu: 1 }\n', [], /strategy\.muu: .*did you mean mu\?/],
    ['a key that is like none', 'name: x\nevaluation: { colour: red }\n', [], /evaluation\.colour: .*expected metric, minImprovement/],
    ['a misspelt key on the command line', 'name: x\n', ['privacy.epsilon=3'], /--set privacy\.epsilon: there is no such setting/],
    ['a value out of range', 'name: x\n', ['cohort.min=0'], /--set cohort\.min: .*>=1, got 0/],
    ['a value of another kind', 'name: x\ntraining: { batchSize: many }\n', [], /yaml: training\.batchSize: .*got "many"/],
    [
      'an unknown strategy',
      'name: x\nstrategy: { kind: best }\n',
      [],
      /strategy\.kind: expected one of fedavg, fedavgm, .*norm-bound, got "best"/,
    ],
    [
      'settings that do not go together',
      'name: x\nstrategy: { kind: krum, byzantine: 1 }\n',
      [],
      /strategy\.kind: krum looks at single updates/,
    ],
    ['a value that has no default', 'name: x\n', ['privacy.delta=1e-5'], /privacy\.noiseMultiplier: expected number, got none/],
    ['no name', 'cohort: { min: 3 }\n', [], /name: a federation needs one; pass --name/],
    ['no YAML', 'name: [x\n', [], /federation\.yaml: not YAML/],
    ['a list', '- name\n', [], /expected settings by name/],
    ['a --set without a value', 'name: x\n', ['cohort.min'], /--set: expected path\.to\.setting=value/],
    ['a --set that reaches for a prototype', 'name: x\n', ['__proto__.min=3'], /--set: expected path/],
  ];
  for (const [what, yaml, single, message] of wrong) {
    it(`are refused by name for ${what}`, async () => {
      await assert.rejects(fromFile(yaml, ...single), (error: { code: string; message: string }) => {
        assert.equal(error.code, 'INVALID_OPTION');
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('are not found where there is no file', async () => {
    await assert.rejects(readSettings({ file: join(dir, 'none.yaml'), single: [] }), {
      code: 'NOT_FOUND',
      message: /none\.yaml: no such file/,
    });
  });
});

describe('the roster of a federation', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-roster-'));
    await writeFile(join(dir, 'b.pub'), `${keyB}\n`);
    await writeFile(join(dir, 'identity.key'), JSON.stringify({ privateKey: keyB, publicKey: keyB }));
    await writeFile(join(dir, 'other'), 'hello');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('takes keys in hex and in files', async () => {
    assert.deepEqual(await readRoster([`a=${keyA.toUpperCase()}`, `b=${join(dir, 'b.pub')}`]), [
      { name: 'a', publicKey: keyA },
      { name: 'b', publicKey: keyB },
    ]);
  });

  const wrong: readonly [string, (dir: string) => string[], string, RegExp][] = [
    ['a member without a key', () => ['a'], 'INVALID_OPTION', /expected NAME=KEY/],
    ['a name that no token can have', () => [`a b=${keyA}`], 'INVALID_OPTION', /a b: expected a name/],
    ['a key that is no file either', () => ['a=abc'], 'NOT_FOUND', /abc is neither 64 hex digits nor a file/],
    ['a private key', (dir) => [`a=${join(dir, 'identity.key')}`], 'INVALID_OPTION', /holds a private key/],
    ['a file that holds no key', (dir) => [`a=${join(dir, 'other')}`], 'INVALID_OPTION', /expected a public key of 64 hex digits/],
    ['a directory', (dir) => [`a=${dir}`], 'INVALID_OPTION', /expected a public key/],
    ['a name given twice', () => [`a=${keyA}`, `a=${keyB}`], 'INVALID_OPTION', /a is given twice/],
    ['a key given twice', () => [`a=${keyA}`, `b=${keyA}`], 'INVALID_OPTION', /a and b have the same key/],
  ];
  for (const [what, given, code, message] of wrong) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(readRoster(given(dir)), { code, message });
    });
  }
});
