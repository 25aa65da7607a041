// Runs the services of docker-compose.yml without Docker, each as the file has it: its command, user, read-only root, volumes, tmpfs, secrets,
// configurations and health check. It needs root on Linux, PostgreSQL and Prometheus from Debian; Grafana is not in Debian and is not run.
// Each service has a mount namespace whose root is an overlay over this machine's, and all have one network namespace of their own.
// Usage: node .ci/services.mjs WORK, in a compiled clone. With CUTLAYER_IMAGE_ROOT=DIR gateway and coordinator run in that image's files.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';

const work = resolve(process.argv[2]);
if (process.env.CUTLAYER_SERVICES !== 'inside') {
  const env = { ...process.env, CUTLAYER_SERVICES: 'inside' };
  const args = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, process.argv[1], work];
  process.exit(spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1);
}

const postgresBin = execFileSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1']).toString().trim();
const file = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
const running = new Map();

execFileSync('ip', ['link', 'set', 'lo', 'up']);
mkdirSync(work, { recursive: true });
chmodSync(work, 0o755);
execFileSync('.docker/make-secrets', [join(work, 'secrets')], { stdio: 'ignore' });
const { packedFixture } = await import(resolve('dist', 'test', 'support', 'packed-fixture.js'));
cpSync((await packedFixture('llama-tiny')).backboneDir, join(work, 'backbone'), { recursive: true });
execFileSync('chmod', ['-R', 'a+rX', join(work, 'backbone')]);
writeFileSync(join(work, 'hosts'), `127.0.0.1 localhost ${Object.keys(file.services).join(' ')}\n`);
const sources = { '${CUTLAYER_BACKBONE:-./packed/backbone}': join(work, 'backbone') };

try {
  prepareRoots();
  // The image's own entry makes the cluster; Debian's programs do it here, with the same variables.
  const { POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS } = file.services.postgres.environment;
  const data = '/var/lib/postgresql/data';
  run('postgres', [
    ...['sh', '-c', `"$0" -D ${data} -U ${POSTGRES_USER} --pwfile=/run/secrets/database_password --auth=scram-sha-256 ${POSTGRES_INITDB_ARGS} >/dev/null`],
    join(postgresBin, 'initdb'),
  ]);
  start('postgres', [join(postgresBin, 'postgres'), '-D', data, '-c', 'listen_addresses=*', '-c', 'unix_socket_directories=/var/run/postgresql']);
  await passes('postgres', ['/usr/bin/pg_isready', '--quiet', '--host=/var/run/postgresql', ...file.services.postgres.healthcheck.test.slice(2)]);
  run('postgres', ['sh', '-c', `PGPASSWORD=$(cat /run/secrets/database_password) createdb -h 127.0.0.1 -U ${POSTGRES_USER} ${POSTGRES_DB}`]);

  for (const name of ['gateway', 'coordinator']) {
    start(name, ['cutlayer', ...file.services[name].command]);
    await passes(name, file.services[name].healthcheck.test.slice(1));
    for (const line of readFileSync(`/proc/${running.get(name).server}/status`, 'utf8').split('\n')) {
      if (/^Uid:/.test(line)) assert.match(line, /^Uid:\t10001\t10001\t10001\t10001$/);
      if (/^Cap(Eff|Prm|Bnd):/.test(line)) assert.match(line, /:\t0+$/, `${name} has no capability`);
      if (/^NoNewPrivs:/.test(line)) assert.match(line, /:\t1$/);
    }
    assert.notEqual(tried(name, ['sh', '-c', 'touch /usr/written']), 0, `${name}: its root is read-only`);
    assert.equal(tried(name, ['sh', '-c', 'touch /tmp/written /var/lib/cutlayer/written']), 0, `${name}: it may write to its volume and /tmp`);
    console.log(`${name}: its command serves as user 10001 without capabilities on a read-only root, and its health check passes`);
  }
  const token = ['cutlayer', 'gateway', 'token', '--tenant', 'acme'];
  assert.equal(tried('gateway', token), 0, 'a command in the container finds the keys of its gateway');
  assert.equal(tried('gateway', [...token, '--keys-dir', '/run/keys']), 0, 'keys may be a secret of Kubernetes');

  if (existsSync('/usr/bin/prometheus')) {
    // Debian has version 2, which has these flags too.
    start('prometheus', ['/usr/bin/prometheus', ...file.services.prometheus.command]);
    await passes('prometheus', ['sh', '-c', `exec 3<>/dev/tcp/127.0.0.1/9090`], '/bin/bash');
    const up = await scraped(['gateway:8080', 'coordinator:8081']);
    console.log(`prometheus: scrapes ${up.join(' and ')} over TLS, with the authority of the secrets`);
  } else console.log('skipped: prometheus; it is not installed');

  for (const name of ['coordinator', 'gateway']) {
    process.kill(running.get(name).server, 'SIGTERM');
    assert.equal(await running.get(name).ended, 0, `${name} ends with 0 at SIGTERM`);
    assert.notEqual(tried(name, file.services[name].healthcheck.test.slice(1)), 0, `${name}: its health check fails when it has ended`);
  }
  console.log('gateway, coordinator: end with 0 at SIGTERM; not run here: grafana, and the images of postgres and prometheus');
} catch (error) {
  for (const [name, { log }] of running) console.error(`--- ${name}\n${log()}`);
  throw error;
} finally {
  for (const { child } of running.values()) child.kill('SIGKILL');
}

/** Makes a root for each service, with everything that its entry mounts. */
function prepareRoots() {
  for (const [name, service] of Object.entries(file.services)) {
    if (name === 'grafana') continue;
    const at = join(work, 'roots', name);
    const root = join(at, 'root');
    for (const dir of [at, root]) mkdirSync(dir, { recursive: true });
    mount('-t', 'tmpfs', 'tmpfs', at);
    for (const dir of ['root', 'upper', 'work']) mkdirSync(join(at, dir));
    const image = service.image.startsWith('cutlayer:') ? process.env.CUTLAYER_IMAGE_ROOT : undefined;
    mount('-t', 'overlay', 'overlay', '-o', `lowerdir=${image ?? '/'},upperdir=${join(at, 'upper')},workdir=${join(at, 'work')}`, root);
    mount('--rbind', '/proc', join(root, 'proc'));
    mount('--rbind', '/dev', join(root, 'dev'));
    const [uid, gid] = service.user.split(':');
    if (image === undefined && service.image.startsWith('cutlayer:')) installHere(root);
    bind(join(work, 'hosts'), join(root, 'etc', 'hosts'));
    for (const secret of service.secrets) bind(secretFile(secret), inRoot(root, `/run/secrets/${secret}`));
    for (const { source, target } of service.configs ?? []) bind(resolve(file.configs[source].file), inRoot(root, target));
    for (const entry of service.volumes ?? []) {
      const volume = typeof entry === 'string' ? { source: entry.split(':')[0], target: entry.split(':')[1] } : entry;
      mkdirSync(join(root, volume.target), { recursive: true });
      if (volume.type === 'bind') mount('--bind', sources[volume.source], join(root, volume.target));
      // As a named volume that is new: it belongs to the image's user.
      else mount('-t', 'tmpfs', 'tmpfs', '-o', `uid=${uid},gid=${gid},mode=700`, join(root, volume.target));
    }
    for (const entry of service.tmpfs ?? []) {
      const [target, options] = entry.split(':');
      const place = execFileSync('chroot', [root, 'realpath', '-m', target]).toString().trim();
      mkdirSync(join(root, place), { recursive: true });
      mount('-t', 'tmpfs', 'tmpfs', '-o', options, join(root, place));
    }
    if (name === 'gateway') asKubernetesMounts(join(root, 'run', 'keys'), gid);
    // The image of PostgreSQL has a user of this number; its programs ask for the name.
    if (name === 'postgres') appendFileSync(join(root, 'etc', 'passwd'), `image:x:${uid}:${gid}::/:/bin/sh\n`);
    assert.equal(service.read_only, true);
    mount('-o', 'remount,ro', root);
  }
}

/** Keys as Kubernetes mounts a secret for a group: root's, in a directory that anyone might write to were it not read-only. */
function asKubernetesMounts(at, gid) {
  mkdirSync(at);
  mount('-t', 'tmpfs', 'tmpfs', '-o', `mode=1777,gid=${gid}`, at);
  execFileSync(process.execPath, ['dist/src/main.js', 'gateway', 'token', '--tenant', 'acme', '--keys-dir', join(work, 'keys')], { stdio: 'ignore' });
  for (const name of ['signing-keys.json', 'identity.json']) {
    cpSync(join(work, 'keys', name), join(at, name));
    chownSync(join(at, name), 0, Number(gid));
    chmodSync(join(at, name), 0o440);
  }
  mount('-o', 'remount,ro', at);
}

/** What the Dockerfile puts into an image, from this clone. */
function installHere(root) {
  const at = join(root, 'opt', 'cutlayer');
  for (const dir of ['dist', 'node_modules', 'proto']) {
    mkdirSync(join(at, dir), { recursive: true });
    mount('--bind', resolve(dir), join(at, dir));
  }
  for (const [name, from] of [['package.json', 'package.json'], ['health.mjs', '.docker/health.mjs']]) cpSync(from, join(at, name));
  mkdirSync(join(root, 'usr', 'local', 'bin'), { recursive: true });
  bind(process.execPath, inRoot(root, '/usr/local/bin/node'));
  execFileSync('ln', ['-sf', '/opt/cutlayer/dist/src/main.js', join(root, 'usr', 'local', 'bin', 'cutlayer')]);
}

function secretFile(name) {
  return file.secrets[name].file.replace('${CUTLAYER_SECRETS:-./secrets}', join(work, 'secrets'));
}

function inRoot(root, target) {
  const place = join(root, target);
  mkdirSync(join(place, '..'), { recursive: true });
  if (!existsSync(place)) writeFileSync(place, '');
  return place;
}

function bind(from, to) {
  mount('--bind', from, to);
  mount('-o', 'remount,bind,ro', to);
}

function mount(...args) {
  execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A command of a service: in its root, as its user, without capabilities or a way to new ones. */
function commandOf(name, command) {
  const { user, cap_drop, security_opt, image } = file.services[name];
  assert.deepEqual([cap_drop, security_opt], [['ALL'], ['no-new-privileges:true']]);
  const [uid, gid] = user.split(':');
  const flags = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
  const variables = image.startsWith('cutlayer:') ? ['CUTLAYER_GATEWAY_STATE_DIR=/var/lib/cutlayer', 'CUTLAYER_COORDINATOR_STATE_DIR=/var/lib/cutlayer'] : [];
  return ['chroot', [join(work, 'roots', name, 'root'), 'setpriv', ...flags, 'env', '-i', 'PATH=/usr/local/bin:/usr/bin:/bin', ...variables, ...command]];
}

function start(name, command) {
  const child = spawn(...commandOf(name, command), { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const ended = new Promise((done) => child.once('exit', (code) => done(code)));
  // chroot, setpriv and env replace themselves, so this is the server.
  running.set(name, { child, server: child.pid, ended, log: () => text.slice(-3000) });
}

function tried(name, command) {
  return spawnSync(...commandOf(name, command), { stdio: 'ignore' }).status;
}

function run(name, command) {
  execFileSync(...commandOf(name, command), { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Runs a health check until it passes, for as long as its entry allows at a start. */
async function passes(name, command, shell) {
  const given = shell === undefined ? command : [shell, ...command.slice(1)];
  for (let attempt = 0; attempt < 300; attempt++) {
    if (tried(name, given) === 0) return;
    assert.equal(running.get(name).child.exitCode, null, `${name} has ended`);
    await pause(200);
  }
  throw new Error(`${name}: its health check does not pass`);
}

/** Waits until Prometheus has scraped targets. */
async function scraped(wanted) {
  for (let attempt = 0; ; attempt++) {
    const { data } = JSON.parse(await text('http://127.0.0.1:9090/api/v1/targets'));
    const found = data.activeTargets.filter(({ health }) => health === 'up').map(({ labels }) => labels.instance);
    if (wanted.every((target) => found.includes(target))) return wanted;
    const errors = data.activeTargets.map(({ lastError }) => lastError).filter(Boolean);
    if (attempt === 150) throw new Error(`prometheus: expected ${wanted.join(', ')} to be up, got ${errors.join('; ')}`);
    await pause(200);
  }
}

function text(url) {
  return new Promise((resolved, reject) => {
    get(url, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk)).on('end', () => resolved(body));
    }).on('error', reject);
  });
}
