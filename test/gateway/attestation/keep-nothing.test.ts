/** A gateway with `--keep-nothing` holds nothing of a step after its answer, and writes nothing of it anywhere. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keptByMachine } from '../../../src/gateway/attestation/keep-nothing.js';
import { parseGatewayConfig } from '../../../src/gateway/config.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { createLogger } from '../../../src/server/observability/log.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const machine = {
  swaps: 'Filename\tType\tSize\tUsed\tPriority\n',
  swapMax: undefined,
  limits:
    'Limit                     Soft Limit           Hard Limit           Units\nMax core file size        0                    unlimited            bytes\n',
  dumped: '00000000\n',
};

describe('a machine that keeps nothing', () => {
  it('has no swap for the service, no core dumps, and no memory in them', () => {
    assert.deepEqual(keptByMachine(machine), []);
    const swaps = `${machine.swaps}/dev/vda2 partition 1 0 -2\n`;
    assert.match(keptByMachine({ ...machine, swaps })[0]!, /swapped to \/dev\/vda2; turn swap off/);
    assert.deepEqual(keptByMachine({ ...machine, swaps, swapMax: '0\n' }), []);
    assert.equal(keptByMachine({ ...machine, swaps, swapMax: 'max\n' }).length, 1);
    assert.match(keptByMachine({ ...machine, limits: machine.limits.replace(' 0 ', ' unlimited ') })[0]!, /ulimit -c 0/);
    assert.match(keptByMachine({ ...machine, dumped: '00000033\n' })[0]!, /coredump_filter/);
    assert.equal(keptByMachine({ swaps: undefined, swapMax: undefined, limits: undefined, dumped: undefined }).length, 3);
  });

  it('is asked for together with settings that remember nothing', () => {
    assert.throws(() => parseGatewayConfig({ backbone: 'x', keepNothing: true, protection: 'p.yaml' }), {
      code: 'INVALID_OPTION',
      message: /--protection: expected none with --keep-nothing/,
    });
  });
});

describe('a gateway with --keep-nothing', () => {
  let dir: string;
  let gateway: TestGateway;
  let calls: SplitCalls;
  let logFd: number;
  // Another process of this test has other numbers: what it plants is not found here.
  const values = Float32Array.from({ length: 2 * 4 * 8 }, (_, at) => Math.sin(12.9898 * (at + 1) + process.pid) * 0.73);
  const rows = encodeTensor(f32([2, 4, 8], values), 'f32');
  const cotangent = () =>
    encodeTensor(
      f32(
        [8, 8],
        values.map((value) => value / 3),
      ),
      'f32',
    );
  before(async function () {
    // Only Linux says what this mode asks of a machine.
    if (process.platform !== 'linux' || keptHere()) this.skip();
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-nothing-'));
    logFd = openSync(join(dir, 'log'), 'a');
    gateway = await startTestGateway({
      start: { stateDir: join(dir, 'state'), audit: join(dir, 'audit'), keepNothing: true },
      log: createLogger({ level: 'trace', fd: logFd }),
    });
    calls = splitCalls(gateway.connect());
  });
  after(async () => {
    await gateway?.close();
    if (logFd !== undefined) closeSync(logFd);
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  it('holds no inputs and no residuals once a step is answered, decodes nothing, and takes core dumps their memory', async () => {
    const metadata = bearer(await gateway.token());
    const { backboneDigest, engine } = gateway.gateway;
    const step = { stepId: 'step-1', backboneDigest, hiddenStates: rows, lengths: [4, 3], positions: [], training: true };
    await calls.forward({ ...step, stepId: 'inference', training: false }, metadata);
    assert.equal(engine.stats().stepsHeld, 0);
    await calls.forward(step, metadata);
    assert.equal(engine.stats().stepsHeld, 1);
    await calls.backward({ stepId: 'step-1', cotangent: cotangent(), wantHiddenStates: true }, metadata);
    const { stepsHeld, inputBytes, residualBytes } = engine.stats();
    assert.deepEqual([stepsHeld, inputBytes, residualBytes], [0, 0, 0]);
    await assert.rejects(calls.backward({ stepId: 'step-1', cotangent: cotangent(), wantHiddenStates: true }, metadata), {
      code: 'STEP_EVICTED',
    });
    assert.equal(gateway.gateway.protection.stats().protectionTenants, 0);
    const card = await calls.getModel(metadata);
    assert.deepEqual([card.maxDecodeRows, card.protection?.nearInputs], [0, 0]);
    assert.match(readFileSync('/proc/self/coredump_filter', 'utf8'), /^0+\n$/);
  });

  it('writes no row to its log, its audit log, its database, shared memory or a file without a name', async () => {
    // Eight bytes are two numbers of a row: no chance gives them.
    const patterns = Array.from({ length: values.length / 2 }, (_, at) => Buffer.from(values.buffer, 8 * at, 8));
    const wrote = (content: Buffer) => patterns.some((pattern) => content.includes(pattern) || content.includes(pattern.toString('hex')));
    const numbers = [...values].map((value) => String(value).slice(0, 9));
    const leaks = () =>
      [...filesBelow(dir), ...sharedMemory(), ...namelessFiles()].filter((file) => {
        const content = contentOf(file);
        return wrote(content) || numbers.some((text) => content.includes(text));
      });
    assert.ok(filesBelow(join(dir, 'state')).length > 3 && filesBelow(join(dir, 'audit')).length > 0);
    assert.deepEqual(leaks(), []);
    // The search finds a row where there is one.
    await writeFile(join(dir, 'state', 'planted'), Buffer.concat([Buffer.from('before'), Buffer.from(values.buffer, 32, 32)]));
    assert.deepEqual(leaks(), [join(dir, 'state', 'planted')]);
  });
});

/** Whether this machine is one that the mode refuses. */
function keptHere(): boolean {
  const { swaps, limits } = { swaps: readFileSync('/proc/swaps', 'utf8'), limits: readFileSync('/proc/self/limits', 'utf8') };
  return keptByMachine({ ...machine, swaps, limits }).length > 0;
}

/** Regular files, at any depth. */
function filesBelow(root: string): readonly string[] {
  const names = readdirSync(root, { recursive: true }) as string[];
  return names.map((name) => join(root, name)).filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

/** Shared memory has a name at the top of its file system. */
function sharedMemory(): readonly string[] {
  return readdirSync('/dev/shm', { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join('/dev/shm', name));
}

/** Nothing, where the file is gone or of another user. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Open files that are in memory, or have been deleted. */
function namelessFiles(): readonly string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => `/proc/self/fd/${fd}`)
    .filter((link) => {
      try {
        return /memfd:|\(deleted\)$/.test(readlinkSync(link)) && statSync(link).isFile();
      } catch {
        return false; // it has been closed
      }
    });
}
