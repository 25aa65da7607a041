/**
 * `cutlayer coordinator invite` and `cutlayer client federate --invite`: one file for each member.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type { Invite } from '../../../clients/typescript/cli/federate/invite-file.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type CoordinatorProcess, startCoordinator } from '../../support/coordinator-process.js';
import { thorough } from '../../support/exhaustive.js';
import { FederateProcess } from '../../support/federate-process.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';
import { writeNotes } from '../../support/training-data.js';

const sites = ['north', 'east', 'south'] as const;
type Site = (typeof sites)[number];

describe('an invite', function () {
  this.timeout(300_000);
  let dir: string;
  let bundle: string;
  let gateway: TestGateway;
  let coordinator: CoordinatorProcess;
  let federation: string;
  const members: FederateProcess[] = [];

  const home = (site: Site) => ({ CUTLAYER_HOME: join(dir, site), CUTLAYER_TOKEN: '', CUTLAYER_COORDINATOR_TOKEN: '' });
  const fileOf = (site: Site, out = dir) => join(out, `${site}.invite`);
  const invite = (...args: string[]) => coordinator.run('invite', ...args);
  const federate = (site: Site, file: string, ...args: string[]) =>
    cutlayerHere(['client', 'federate', '--invite', file, '--data', join(dir, 'notes.jsonl'), '--bundle', bundle, ...args], home(site));
  const content = async (file: string) => JSON.parse(await readFile(file, 'utf8')) as Invite & { readonly token: string };
  const changed = async (change: object): Promise<string> => {
    const file = join(dir, 'changed.invite');
    await writeFile(file, JSON.stringify({ ...(await content(fileOf('north'))), ...change }));
    return file;
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-invite-'));
    const packed = await packedFixture('llama-tiny');
    bundle = packed.bundleDir;
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    coordinator = await startCoordinator();
    writeNotes(join(dir, 'notes.jsonl'), 16, 1);
    const roster: string[] = [];
    for (const site of sites) {
      const made = await cutlayerHere(['client', 'identity'], home(site));
      const again = await cutlayerHere(['client', 'identity'], home(site));
      assert.deepEqual([again.code, again.stdout], [0, made.stdout]);
      roster.push('--member', `${site}=${made.stdout.trim()}`);
    }
    const settings = ['rounds={count: 1, enlistSeconds: 60}', 'training.steps=1', 'adapter.settings={virtualTokens: 2}', 'evaluation=null'];
    const set = settings.flatMap((setting) => ['--set', setting]);
    const created = await coordinator.run('create', '--name', 'ward notes', '--bundle', bundle, ...roster, ...set, '--start');
    assert.equal(created.code, 0, created.stderr);
    federation = created.stdout.trim();
    const made = await invite(...sites, '--out', dir);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stderr, /is reached from this machine alone; pass --address for members elsewhere/);
    for (const site of sites) {
      assert.match(made.stdout, new RegExp(`wrote .*${site}\\.invite for ${site}\\n`));
      assert.ok(!`${made.stdout}${made.stderr}`.includes((await content(fileOf(site))).token), 'a token in the output');
    }
  });
  after(async () => {
    for (const member of members) await member.end('SIGKILL');
    await coordinator?.stop();
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('is a private file with federation, member, coordinator, CA and a token for this member alone', async () => {
    const { federation: its, member, name, coordinator: reached, token, expiresAt, publicKey } = await content(fileOf('east'));
    assert.deepEqual([its, member, name, reached.address], [federation, 'east', 'ward notes', coordinator.ready.listen]);
    assert.equal(reached.ca, await readFile(coordinator.ready.caFile!, 'utf8'));
    assert.match(publicKey, /^[0-9a-f]{64}$/);
    const { tenant, scope, exp } = decodeJwt(token);
    assert.deepEqual([tenant, scope], ['east', 'federate']);
    assert.ok(Math.abs(exp! * 1000 - expiresAt!) < 2000);
    assert.equal((await stat(fileOf('east'))).mode & 0o777, 0o600);
  });

  thorough('is all that a member needs beside its data and the profile of its vendor', async () => {
    for (const site of sites) {
      const token = join(dir, `${site}.token`);
      await writeFile(token, await gateway.token({ tenant: site }));
      const authority = join(dir, 'gateway-ca.pem');
      await writeFile(authority, gateway.ca);
      const flags = ['--bundle', bundle, '--gateway', gateway.gateway.listen, '--ca', authority, '--token-file', token, '--no-check'];
      assert.equal((await cutlayerHere(['client', 'login', ...flags], home(site))).code, 0);
      members.push(new FederateProcess(['--invite', fileOf(site), '--data', join(dir, 'notes.jsonl')], home(site)));
    }
    for (const member of members) assert.equal(await member.end(), 0, member.errors);
    assert.deepEqual(
      members
        .map(({ events }) => events.find(({ type }) => type === 'summary'))
        .map((summary) => summary?.type === 'summary' && summary.rounds),
      [1, 1, 1],
    );
    assert.ok((await readdir(join(dir, 'north', 'federations', federation))).includes('member.db'));
  });

  it('says what the founder knows of the gateway, and how to get a token where it has none', async () => {
    const out = join(dir, 'more');
    const ca = join(dir, 'vendor.pem');
    await writeFile(ca, gateway.ca);
    const flags = ['--gateway', 'vendor.example:443', '--gateway-ca', ca, '--bundle-url', 'https://vendor.example/b.tar.gz'];
    const { code, stderr } = await invite(
      'north',
      '--out',
      out,
      '--address',
      'consortium.example:443',
      ...flags,
      '--token-from',
      'ask id.example',
    );
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /this machine alone/);
    const { gateway: its, bundleUrl, coordinator: reached, token } = await content(fileOf('north', out));
    assert.deepEqual(its, { address: 'vendor.example:443', ca: gateway.ca.toString() });
    assert.deepEqual([bundleUrl, reached.address, token], ['https://vendor.example/b.tar.gz', 'consortium.example:443', undefined]);
    const missing = await federate('north', fileOf('north', out));
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /error TOKEN_MISSING: no token for the coordinator: the invite says: ask id\.example; pass --coordinator-token-file/,
    );
  });

  const wrongInvites: readonly [string, string[], number, RegExp][] = [
    ['a stranger', ['west'], 1, /NOT_A_MEMBER: west is not on the roster of ward notes: north, east, south/],
    ['a member twice', ['north', 'north'], 2, /north\.invite: the member is named twice/],
    ['no member', [], 2, /member/],
    [
      'a member that has a file already',
      ['south', 'north'],
      1,
      /ALREADY_EXISTS: .*there is a file already, perhaps with a token that is still good/,
    ],
    ['an address that is none', ['north', '--address', 'http://x'], 1, /INVALID_/],
    ["a gateway's CA without its address", ['north', '--gateway-ca', 'x.pem'], 2, /--gateway-ca: expected --gateway too/],
  ];
  for (const [what, args, exitCode, message] of wrongInvites) {
    it(`is not made for ${what}`, async () => {
      const out = what.includes('already') ? dir : join(dir, 'none');
      const { code, stderr, stdout } = await invite(...args, '--out', out);
      assert.equal(code, exitCode, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    });
  }

  it('is refused when it is for another member, expired, of another version, or no invite', async () => {
    const cases: readonly [object, Site, RegExp][] = [
      [
        {},
        'east',
        /error NOT_A_MEMBER: the invite is for north in ward notes, whose key on the roster is [0-9a-f]{64}, and --identity .*east/,
      ],
      [
        { expiresAt: 1 },
        'north',
        /error TOKEN_EXPIRED: .* good until 1970-.*; ask the founder for another one \(cutlayer coordinator invite north\)/,
      ],
      [{ version: 2 }, 'north', /error INVALID_CONFIG: .*its version is 2, this program reads 1: use the founder's version of cutlayer/],
      [
        { kind: 'cutlayer-onboarding' },
        'north',
        /error INVALID_CONFIG: .*this one is of cutlayer gateway onboard, for cutlayer client login --from/,
      ],
      [
        { federation: 'x', extra: 1 },
        'north',
        /error INVALID_CONFIG: .*cutlayer coordinator invite has written; wrong or missing: federation, the whole/,
      ],
    ];
    for (const [change, site, message] of cases) {
      const { code, stderr } = await federate(site, await changed(change), '--gateway', gateway.gateway.listen);
      assert.equal(code, 1);
      assert.match(stderr, message);
      assert.ok(!stderr.includes((await content(fileOf('north'))).token), 'a token in an error');
    }
    const none = await federate('north', join(dir, 'none.invite'));
    assert.match(none.stderr, /error NOT_FOUND: .*no such file; the founder makes it with cutlayer coordinator invite/);
  });

  it('gives no token to another coordinator, and is for one federation', async () => {
    const elsewhere = await federate('north', fileOf('north'), '--coordinator', 'other.example:443', '--gateway', gateway.gateway.listen);
    assert.match(elsewhere.stderr, /error TOKEN_MISSING: no token for the coordinator/);
    const other = await federate('north', fileOf('north'), '--federation', 'ab'.repeat(32));
    assert.equal(other.code, 2);
    assert.match(other.stderr, /--federation abab.*: the invite .* is to federation /);
  });
});
