/** `cutlayer client login`, `profiles` and `logout`, and commands that take their connection from a profile. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectionText } from '../../../clients/typescript/cli/profile/connection-text.js';
import { profilePresets } from '../../../clients/typescript/cli/profile/profile-presets.js';
import { profilesDir } from '../../../clients/typescript/cli/profile/profile-store.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type PackedFixture, packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

describe('profiles of cutlayer client', () => {
  let packed: PackedFixture;
  let gateway: TestGateway;
  let dir: string;
  let tokenFile: string;
  let address: string;
  let caFile: string;
  before(async () => {
    packed = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    address = gateway.gateway.listen;
    caFile = gateway.gateway.caFile!;
  });
  after(() => gateway.close());
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-profiles-'));
    tokenFile = join(dir, 'token');
    await writeFile(tokenFile, `${await gateway.token()}\n`);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const client = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    cutlayerHere(['client', ...args], { CUTLAYER_HOME: join(dir, 'home'), ...env });
  const connection = () => ['--bundle', packed.bundleDir, '--gateway', address, '--ca', caFile, '--token-file', tokenFile];
  const login = (...args: string[]) => client(['login', ...connection(), ...args]);
  /** Where `check` says that a value comes from. */
  const sourceOf = (stdout: string, name: string): string => new RegExp(`^${name} +\\S+ +(.*)$`, 'm').exec(stdout)?.[1] ?? stdout;

  it('keeps a checked connection in files of their owner alone, and check then needs no flag', async () => {
    const { code, stdout, stderr } = await login();
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^ok {2}access /m);
    assert.match(stdout, /^wrote profile default in .*\/home\/profiles\/default; commands without --profile use it$/m);
    const home = join(dir, 'home/profiles/default');
    for (const [path, mode] of [
      ['.', 0o700],
      ['profile.json', 0o600],
      ['ca.pem', 0o600],
    ] as const)
      assert.equal((await stat(join(home, path))).mode & 0o777, mode, path);
    assert.equal((await stat(join(dir, 'home/profiles'))).mode & 0o777, 0o700);
    // The copy is what is used: the first file may go.
    assert.equal(await readFile(join(home, 'ca.pem'), 'utf8'), gateway.ca.toString());
    const checked = await client(['check']);
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    for (const name of ['bundle', 'gateway', 'ca', 'token-file']) assert.equal(sourceOf(checked.stdout, name), 'profile default');
  });

  it('copies a token of the environment, and prints it nowhere', async () => {
    const token = await gateway.token();
    const { code, stdout } = await client(['login', ...connection().slice(0, 6)], { CUTLAYER_TOKEN: token });
    assert.equal(code, 0);
    const path = join(dir, 'home/profiles/default/token');
    assert.deepEqual([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777], [`${token}\n`, 0o600]);
    const listed = await client(['profiles']);
    const json = await client(['profiles', '--json']);
    assert.match(listed.stdout, /^default +127\.0\.0\.1:\d+ +\/.* +in the profile$/m);
    for (const text of [stdout, listed.stdout, json.stdout]) assert.ok(!text.includes(token.slice(40)), 'a token in the output');
    assert.equal((await client(['check'])).code, 0);
  });

  it('counts flag, environment and file before the profile, and the profile before defaults', async () => {
    await login('--profile', 'acme');
    const file = join(dir, 'check.yaml');
    await writeFile(file, `bundle: ${packed.bundleDir}\n`);
    const { code, stdout } = await client(['check', '--profile', 'acme', '--config', file, '--token-file', tokenFile], {
      CUTLAYER_CLIENT_GATEWAY: address,
    });
    assert.equal(code, 0, stdout);
    assert.equal(sourceOf(stdout, 'bundle'), `file ${file}`);
    assert.equal(sourceOf(stdout, 'gateway'), 'environment CUTLAYER_CLIENT_GATEWAY');
    assert.equal(sourceOf(stdout, 'ca'), 'profile acme');
    assert.equal(sourceOf(stdout, 'token-file'), 'flag --token-file');
  });

  it('runs a command with --profile alone, and writes the values themselves into the configuration of a run', async () => {
    await login('--profile', 'acme');
    const data = join(dir, 'train.jsonl');
    await writeFile(data, '{"prompt": "a b", "completion": " c"}\n'.repeat(4));
    const { code, stderr } = await client(['train', '--profile', 'acme', '--data', data, '--out', join(dir, 'run'), '--steps', '1']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^ +try it +cutlayer client generate --adapter \S+\/run\/adapter --prompt "\.\.\." --profile acme$/m);
    const config = await readFile(join(dir, 'run/config.yaml'), 'utf8');
    assert.ok(config.includes(`gateway: ${address}\n`) && !/^profile:/m.test(config), config);
  });

  it('leaves out of the next command what the profile gives', async () => {
    await login();
    const before = process.env.CUTLAYER_HOME;
    process.env.CUTLAYER_HOME = join(dir, 'home');
    try {
      const { bundle, gateway: listen, ca } = (await profilePresets(undefined, {}))!.values as Record<string, string>;
      const flags = { profile: undefined, bundle: bundle!, gateway: listen!, ca, tokenFile, insecure: false };
      assert.equal(await connectionText(flags), '');
      assert.equal(await connectionText({ ...flags, tokenFile: undefined }), '');
      assert.equal(await connectionText({ ...flags, ca: 'other.pem' }), ' --ca other.pem');
      assert.equal(await connectionText({ ...flags, gateway: 'other:1' }), ` --gateway other:1 --ca ${ca} --token-file ${tokenFile}`);
      process.env.CUTLAYER_HOME = join(dir, 'none');
      const all = ` --bundle b --gateway 127.0.0.1:1 --token-file ${tokenFile} --insecure`;
      assert.equal(await connectionText({ ...flags, bundle: 'b', gateway: '127.0.0.1:1', ca: undefined, insecure: true }), all);
    } finally {
      if (before === undefined) delete process.env.CUTLAYER_HOME;
      else process.env.CUTLAYER_HOME = before;
    }
  });

  it("gives another gateway neither the token nor the CA of the profile's gateway", async () => {
    await login();
    const { code, stdout } = await client(['check', '--gateway', 'localhost:1'], {});
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL {2}token .*no access token: pass --token-file/m);
    assert.match(stdout, /^token-file +- +not given$/m);
    assert.match(stdout, /^ca +- +not given$/m);
    const before = process.env.CUTLAYER_HOME;
    process.env.CUTLAYER_HOME = join(dir, 'home');
    try {
      const values = (await profilePresets(undefined, { gateway: address }, { CUTLAYER_TOKEN: 'x.y.z' }))!.values;
      assert.deepEqual([values.tokenFile, values.ca], [undefined, join(dir, 'home/profiles/default/ca.pem')]);
    } finally {
      if (before === undefined) delete process.env.CUTLAYER_HOME;
      else process.env.CUTLAYER_HOME = before;
    }
  });

  it('writes nothing when the check fails, unless it is told not to check', async () => {
    const wrong = ['login', '--bundle', packed.bundleDir, '--gateway', address, '--token-file', tokenFile];
    const { code, stdout, stderr } = await client(wrong);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL {2}certificate .*--ca$/m);
    assert.match(stderr, /^nothing was written: mend what failed, or pass --no-check$/m);
    assert.match((await client(['profiles'])).stdout, /^no profiles in .*; make one with cutlayer client login$/m);
    assert.equal((await client([...wrong, '--no-check'])).code, 0);
    assert.match((await client(['profiles'])).stdout, /^default /m);
  });

  it('names the profiles that there are for one that there is not, and takes no path for a name', async () => {
    await login('--profile', 'acme');
    const { code, stderr } = await client(['check', '--profile', 'acne']);
    assert.equal(code, 1);
    assert.match(stderr, /NOT_FOUND: there is no profile acne: there are acme; make it with cutlayer client login --profile acne/);
    for (const name of ['../acme', '.hidden', '']) {
      const refused = await client(['logout', '--profile', name]);
      assert.deepEqual([refused.code, /--profile: expected 1 to 64 of/.test(refused.stderr)], [2, true], name);
    }
  });

  it('says how to get a profile where bundle and gateway are missing', async () => {
    const { code, stderr } = await client(['check']);
    assert.equal(code, 2);
    assert.match(stderr, /required option '--bundle <dir>' not specified, or bundle in the file of --config, or by --profile/);
  });

  it('says what to do about a file that is no profile', async () => {
    await login();
    await writeFile(join(dir, 'home/profiles/default/profile.json'), '{"format": 9}');
    assert.match((await client(['check'])).stderr, /INVALID_OPTION: .*profile\.json: not a profile of this version; write it again/);
    assert.match((await client(['profiles'])).stdout, /^default {2}cannot be read: log in again$/m);
    assert.match((await login()).stdout, /^wrote profile default/m);
  });

  it('removes a profile on logout, and keeps a token file that is elsewhere', async () => {
    await login('--profile', 'acme');
    assert.equal((await client(['logout', '--profile', 'acme'])).code, 0);
    assert.match((await client(['profiles'])).stdout, /^no profiles/m);
    assert.ok((await readFile(tokenFile, 'utf8')).length > 0);
    assert.match((await client(['logout', '--profile', 'acme'])).stderr, /NOT_FOUND: there is no profile acme: there are none yet/);
  });

  it('finds its directory as XDG says, and at CUTLAYER_HOME before that', () => {
    assert.equal(profilesDir({ XDG_CONFIG_HOME: '/x' }), '/x/cutlayer/profiles');
    assert.equal(profilesDir({ XDG_CONFIG_HOME: '/x', CUTLAYER_HOME: '/h' }), '/h/profiles');
    assert.match(profilesDir({ XDG_CONFIG_HOME: 'relative' }), /\/\.config\/cutlayer\/profiles$/);
  });
});
