/** What a command says of privacy before it sends a row. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastAudit } from '../../../clients/typescript/cli/audit/last-audit.js';
import { privacyStatement } from '../../../clients/typescript/cli/privacy-statement.js';
import { cutlayerHere } from '../../support/command-here.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';
import { writeNotes } from '../../support/training-data.js';

describe('the privacy statement of a run', () => {
  let dir: string;
  let gateway: TestGateway;
  let home: { readonly CUTLAYER_HOME: string };
  let bundle: readonly string[];
  let reach: readonly string[];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-statement-'));
    home = { CUTLAYER_HOME: join(dir, 'home') };
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir });
    await writeFile(join(dir, 'ca.pem'), gateway.ca);
    await writeFile(join(dir, 'token'), await gateway.token());
    writeNotes(join(dir, 'notes.jsonl'), 3, 1);
    bundle = ['--bundle', bundleDir, '--threads', '1', '--data', join(dir, 'notes.jsonl')];
    reach = ['--gateway', gateway.gateway.listen, '--ca', join(dir, 'ca.pem'), '--token-file', join(dir, 'token')];
  });
  after(async () => {
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const evaluate = (...more: readonly string[]) => cutlayerHere(['client', 'eval', ...bundle, ...reach, '--json', ...more], home);
  const statementOf = (stderr: string) => stderr.split('\n').filter((line) => line.startsWith('privacy: '));

  it('says cut, defences and attestation, and that nothing was measured yet, on standard error alone', async () => {
    const { code, stdout, stderr } = await evaluate('--row-noise', '0.5');
    assert.equal(code, 0, stderr);
    assert.deepEqual(statementOf(stderr), [
      'privacy: k = 0; defences: row-noise (scale 0.5); attestation: none',
      'privacy: At this cut (k = 0) the vendor, who owns the embedding table, could look the tokens up from activations. ' +
        'No audit of this model is kept here: cutlayer client audit measures what an adversarial vendor could infer.',
    ]);
    assert.ok(!stdout.includes('privacy'));
    assert.doesNotThrow(() => JSON.parse(stdout));
  });

  it('says what the last audit of the model found, by whom, and at which other settings', async () => {
    const out = join(dir, 'audit');
    const audited = await cutlayerHere(
      ['client', 'audit', '--offline', ...bundle, '--out', out, '--only', 'A0,A5', '--planted', '0', '--json'],
      home,
    );
    assert.equal(audited.code, 0, audited.stderr);
    const { backboneDigest } = JSON.parse(audited.stdout) as { backboneDigest: string };
    const day = new Date().toISOString().slice(0, 4);
    const [, same] = statementOf((await evaluate()).stderr);
    assert.match(same!, new RegExp(`could infer, by the audit of ${day}-\\d\\d-\\d\\d \\(suite \\d+, 3 records, offline\\): `));
    assert.match(same!, /tokens recovered 100\.0 % \(A0\), .*\(A5\).* Another attacker may infer more\.$/);
    const [, other] = statementOf((await evaluate('--row-noise', '0.5')).stderr);
    assert.match(other!, /, offline\), at other settings \(wire f32, defences: none\): tokens recovered/);
    const [file] = await readdir(join(home.CUTLAYER_HOME, 'audits'));
    assert.equal(file, `${backboneDigest}.json`);
    assert.equal((await stat(join(home.CUTLAYER_HOME, 'audits', file!))).mode & 0o777, 0o600);
  });

  it('is not reached where a policy asks for evidence that the gateway has not', async () => {
    const policy = join(dir, 'policy.yaml');
    await writeFile(policy, `tdx: [{ mrtd: "${'ab'.repeat(48)}" }]`);
    const { code, stderr } = await evaluate('--attestation-policy', policy);
    assert.equal(code, 1);
    assert.match(stderr, /ATTESTATION_UNAVAILABLE: attestation: this gateway has no source of quotes/);
    assert.deepEqual(statementOf(stderr), []);
    const [, bundleDir] = bundle as [string, string];
    const checked = await cutlayerHere(['client', 'check', '--bundle', bundleDir, ...reach, '--attestation-policy', policy], home);
    assert.equal(checked.code, 1);
    assert.match(checked.stdout, /FAIL +attestation|attestation +FAIL/);
    assert.match(checked.stdout, /not asked: the gateway is not attested/);
  });

  it('takes a broken record of an audit for none', async () => {
    const digest = 'a'.repeat(64);
    const before = process.env.CUTLAYER_HOME;
    process.env.CUTLAYER_HOME = home.CUTLAYER_HOME;
    try {
      const [kept] = await readdir(join(home.CUTLAYER_HOME, 'audits'));
      const text = await readFile(join(home.CUTLAYER_HOME, 'audits', kept!), 'utf8');
      const write = (content: string) => writeFile(join(home.CUTLAYER_HOME, 'audits', `${digest}.json`), content);
      await write(text);
      assert.equal((await lastAudit(digest))?.figures[0]?.by, 'A0');
      for (const broken of [
        '',
        '{',
        text.replace('"formatVersion": 1', '"formatVersion": 2'),
        text.replace(/"day": "[^"]*"/, '"day": "x"'),
      ]) {
        await write(broken);
        assert.equal(await lastAudit(digest), undefined);
      }
    } finally {
      if (before === undefined) delete process.env.CUTLAYER_HOME;
      else process.env.CUTLAYER_HOME = before;
    }
  });

  it('claims no guarantee at a deeper cut either', () => {
    const [, line] = privacyStatement({ bottom: 2, wire: 'f32', defences: [], audit: undefined, attested: undefined });
    assert.match(line!, /^privacy: The vendor may still infer something about the text from activations\. No audit/);
  });
});
