import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { reportFailure } from '../../../src/commands/failure.js';
import { CutlayerError } from '../../../src/errors.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { GLIBC_TUNABLES } from '../../../src/runtime/malloc.js';
import { makeAuthority } from '../../../src/server/tls/certificates.js';
import { cutlayerHere } from '../../support/command-here.js';
import { bearer, splitCalls } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const main = fileURLToPath(new URL('../../../src/main.js', import.meta.url));

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function finished(child: ChildProcess): Promise<Finished> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

const cutlayer = (...args: string[]): Promise<Finished> => finished(spawn(process.execPath, [main, ...args]));

describe('cutlayer command', () => {
  it('teaches with examples in every help', async () => {
    for (const args of [[], ['gateway', 'start'], ['gateway', 'token']]) {
      const { code, stdout } = await cutlayerHere([...args, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, /\$ .*cutlayer /, args.join(' '));
    }
  });

  it("starts with the allocator settings that the runtime was measured with, in a line that Linux doesn't cut", async () => {
    const [shebang] = (await readFile(main, 'utf8')).split('\n');
    assert.equal(shebang, `#!/usr/bin/env -S GLIBC_TUNABLES=${GLIBC_TUNABLES} node`);
    assert.ok(shebang!.length < 255);
  });

  it('ends its process with the exit code of the failure', async () => {
    const { code, stderr, stdout } = await cutlayer('serve');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /unknown command 'serve'/);
  });

  const failing: readonly [string, string[], number, RegExp][] = [
    ['an unknown command', ['serve'], 2, /unknown command 'serve'/],
    ['an unknown flag', ['gateway', 'start', '--backbone', 'x', '--fast'], 2, /unknown option '--fast'/],
    ['a missing flag', ['gateway', 'token'], 2, /--tenant/],
    [
      'a value that does not parse',
      ['gateway', 'start', '--backbone', 'x', '--listen', 'here'],
      2,
      /error INVALID_OPTION: --listen: .*\nhint: /,
    ],
    [
      'a backbone that is not there',
      ['gateway', 'start', '--backbone', '/nowhere', '--listen', '127.0.0.1:0', '--insecure'],
      1,
      /error NOT_FOUND: /,
    ],
    ['a tenant with a space', ['gateway', 'token', '--tenant', 'a b'], 1, /error INVALID_ARGUMENT: tenant: /],
    ['a life without end', ['gateway', 'token', '--tenant', 'a', '--ttl', 'forever'], 1, /error INVALID_ARGUMENT: ttl: /],
    ['a scope of a coordinator', ['gateway', 'token', '--tenant', 'a', '--scope', 'federation:admin'], 1, /scope: .*infer, admin, got fed/],
    ['an unknown scope', ['gateway', 'token', '--tenant', 'a', '--scope', 'root'], 1, /error INVALID_ARGUMENT: scope: /],
  ];
  for (const [what, args, exitCode, message] of failing) {
    it(`exits with ${exitCode} and says why, without a stack, for ${what}`, async () => {
      const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-state-'));
      const state = args[0] === 'gateway' && !args.includes('--fast') ? ['--state-dir', stateDir] : [];
      const { code, stderr, stdout } = await cutlayerHere([...args, ...state]);
      assert.equal(code, exitCode, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^ {4}at /m);
      assert.equal(stdout, '');
      await rm(stateDir, { recursive: true });
    });
  }
});

describe('a failure that is not about the flags', () => {
  it('exits with 1 and does not send to --help, which has no answer to it', () => {
    const said: string[] = [];
    const stderr = new Writable({
      write(chunk: Buffer, _, done) {
        said.push(chunk.toString());
        done();
      },
    });
    assert.equal(reportFailure(new CutlayerError('INVALID_CONFIG', 'config.json: hidden_size: expected a number'), stderr), 1);
    assert.equal(reportFailure(new CutlayerError('INVALID_OPTION', '--listen: expected host:port'), stderr), 2);
    assert.deepEqual(said, [
      'error INVALID_CONFIG: config.json: hidden_size: expected a number\n',
      'error INVALID_OPTION: --listen: expected host:port\nhint: run the command with --help for its flags and examples\n',
    ]);
  });
});

describe('cutlayer gateway', function () {
  this.timeout(120_000);
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-state-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('prints the bare token of a tenant on standard output', async () => {
    const { code, stdout, stderr } = await cutlayer('gateway', 'token', '--tenant', 'acme', '--ttl', '15m', '--state-dir', dir);
    assert.equal(code, 0);
    assert.match(stderr, /^note: made new keys in /);
    assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const token = stdout.trim();
    assert.equal(decodeProtectedHeader(token).typ, 'at+jwt');
    const claims = decodeJwt(token);
    assert.deepEqual([claims.tenant, claims.scope, claims.exp! - claims.iat!], ['acme', 'model:read train infer', 900]);
  });

  it('issues a client certificate from its own authority, and tokens that are bound to it', async () => {
    const authority = await makeAuthority(Date.now());
    await Promise.all([writeFile(join(dir, 'ca.pem'), authority.cert), writeFile(join(dir, 'ca-key.pem'), authority.key, { mode: 0o600 })]);
    const out = join(dir, 'acme');
    const issue = () => cutlayer('gateway', 'cert', 'acme', '--out', out, '--days', '7', '--state-dir', dir);
    assert.equal((await issue()).code, 0);
    const certificate = new X509Certificate(await readFile(`${out}.pem`));
    assert.ok(certificate.verify(new X509Certificate(authority.cert).publicKey));
    assert.ok(certificate.checkPrivateKey(createPrivateKey(await readFile(`${out}-key.pem`))));
    assert.equal((await stat(`${out}-key.pem`)).mode & 0o077, 0);
    assert.match((await issue()).stderr, /ALREADY_EXISTS: /);
    const { stdout } = await cutlayer('gateway', 'token', '--tenant', 'acme', '--client-cert', `${out}.pem`, '--state-dir', dir);
    const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
    assert.deepEqual(decodeJwt(stdout.trim()).cnf, { 'x5t#S256': thumbprint });
  });

  it('starts in a process of its own, says where in one JSON line, serves a token issued by another process, and ends on SIGTERM', async () => {
    const backbone = await tinyBackbone({ hiddenSize: 8, numLayers: 1 });
    const args = [
      'gateway',
      'start',
      '--backbone',
      backbone.dir,
      '--listen',
      '127.0.0.1:0',
      '--admin',
      '127.0.0.1:0',
      '--state-dir',
      dir,
      '--json',
    ];
    const child = spawn(process.execPath, [main, ...args]);
    const end = finished(child);
    try {
      const line = await new Promise<string>((resolve, reject) => {
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += chunk;
          if (text.includes('\n')) resolve(text);
        });
        end.then(({ stderr }) => reject(new Error(stderr)), reject);
      });
      const ready = JSON.parse(line);
      assert.equal(ready.event, 'ready');
      assert.equal(ready.tls, true);
      assert.equal(ready.backboneDigest, backbone.digest);
      assert.equal(ready.caFile, join(dir, 'ca.pem'));
      const { stdout } = await cutlayer('gateway', 'token', '--tenant', 'acme', '--state-dir', dir);
      const client = new (loadSplitService())(ready.listen, credentials.createSsl(await readFile(ready.caFile)), {
        'grpc.ssl_target_name_override': 'localhost',
      });
      const { name } = await splitCalls(client).getModel(bearer(stdout.trim()));
      assert.equal(name, backbone.manifest.name);
      client.close();
      assert.equal((await fetch(`http://${ready.admin}/healthz`)).status, 200);
    } finally {
      child.kill('SIGTERM');
    }
    const { code, stderr } = await end;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /DEVELOPMENT CERTIFICATE/);
    await rm(backbone.dir, { recursive: true });
  });

  it('keeps its state for its owner alone', async function () {
    if (process.platform === 'win32') this.skip();
    for (const name of await readdir(dir)) {
      const secret = /audit|key|\.db/.test(name);
      assert.equal((await stat(join(dir, name))).mode & 0o077, secret ? 0 : 0o044, name);
    }
  });
});

describe('the configuration of a gateway', () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-gateway-config-'));
    file = join(dir, 'gateway.yaml');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('is explained: each option with its value, and whether flag, environment, file or default gave it', async () => {
    await writeFile(file, 'workers: 2\nmax-batch: 9\nmaxTokens: 99\nbackbone: packed\n');
    const env = { CUTLAYER_GATEWAY_WORKERS: '3', CUTLAYER_GATEWAY_MAX_BATCH: '8', CUTLAYER_COORDINATOR_GRACE: '1' };
    const { code, stdout } = await cutlayerHere(['gateway', 'config', '--config', file, '--workers', '4', '--explain'], env);
    assert.equal(code, 0);
    const lines = new Map(stdout.split('\n').map((line) => [line.split(' ')[0], line.replace(/ +/g, ' ')]));
    assert.equal(lines.get('workers'), 'workers 4 flag --workers');
    assert.equal(lines.get('max-batch'), 'max-batch 8 environment CUTLAYER_GATEWAY_MAX_BATCH');
    assert.equal(lines.get('max-tokens'), `max-tokens 99 file ${file}`);
    assert.equal(lines.get('backbone'), `backbone ${join(dir, 'packed')} file ${file}`);
    assert.equal(lines.get('grace'), 'grace 30 default');
    assert.equal(lines.get('tls-cert'), 'tls-cert - not given');
  });

  it('is printed as a file that gives the same configuration again', async () => {
    const { stdout } = await cutlayerHere(['gateway', 'config', '--residual-memory', '2GiB', '--listen', '[::1]:7', '--tls-names', 'a,b']);
    await writeFile(file, stdout);
    const again = await cutlayerHere(['gateway', 'config', '--config', file]);
    assert.equal(again.stdout, stdout);
    assert.match(stdout, /^residual-memory: 2GiB$/m);
  });

  it('is checked with the files that it names, without listening and without making any', async () => {
    const backbone = await tinyBackbone({ hiddenSize: 8, numLayers: 1 });
    const stateDir = join(dir, 'state');
    const check = (...args: string[]) => cutlayerHere(['gateway', 'start', '--config', file, '--state-dir', stateDir, '--check', ...args]);
    await writeFile(file, `backbone: ${backbone.dir}\n`);
    const good = await check();
    assert.deepEqual([good.code, good.stdout], [0, 'configuration is valid\n'], good.stderr);
    await assert.rejects(stat(stateDir), { code: 'ENOENT' });

    const policies = join(dir, 'policies.yaml');
    await writeFile(policies, 'default:\n  rows-per-day: 0\n');
    const bad: readonly (readonly [string[], number, RegExp])[] = [
      [['--backbone', join(dir, 'nothing')], 1, /error NOT_FOUND: /],
      [['--tls-cert', file, '--tls-key', file], 1, /error INVALID_CONFIG: .*PEM certificate chain/],
      [['--tls-cert', join(dir, 'a.pem'), '--tls-key', join(dir, 'b.pem')], 1, /error IO_ERROR: .*cannot be read/],
      [['--tls-cert', file], 2, /error INVALID_OPTION: --tls-cert: expected --tls-cert and --tls-key together/],
      [['--state-dir', join(file, 'below-a-file')], 1, /error IO_ERROR: state directory /],
      [['--protection', policies], 1, /error INVALID_CONFIG: .*policies\.yaml:2: default\.rows-per-day: .*got 0/],
    ];
    for (const [args, exitCode, message] of bad) {
      const { code, stdout, stderr } = await check(...args);
      assert.equal(code, exitCode, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    }
    await writeFile(file, `backbone: ${backbone.dir}\nmax-deadlin: 3\n`);
    const unknown = await check();
    assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
    assert.match(unknown.stderr, /error INVALID_OPTION: .*gateway\.yaml: there is no option max-deadlin; did you mean max-deadline\?/);
    await rm(backbone.dir, { recursive: true });
  });

  it('is refused with the name of the variable that is wrong', async () => {
    const { code, stderr } = await cutlayerHere(['gateway', 'start', '--backbone', 'x'], { CUTLAYER_GATEWAY_INSECURE: 'yes' });
    assert.equal(code, 2);
    assert.match(stderr, /error INVALID_OPTION: CUTLAYER_GATEWAY_INSECURE: expected true or false, got yes/);
  });
});
