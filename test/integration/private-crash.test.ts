/** kill -9 of a private run: what its ledger tells is never too little. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { epsilonOf } from '../../src/privacy/accountant.js';
import { gaussianEvent } from '../../src/privacy/event.js';
import type { PrivacyStatement } from '../../src/privacy/statement.js';
import { thorough } from '../support/exhaustive.js';
import { packedFixture } from '../support/packed-fixture.js';
import { MAIN } from '../support/server-process.js';
import { startTestGateway, type TestGateway } from '../support/test-gateway.js';
import { writeNotes } from '../support/training-data.js';

const STEPS = 16;

describe('kill -9 of a private run', () => {
  let dir: string;
  let gateway: TestGateway;
  let bundleDir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-private-crash-'));
    const packed = await packedFixture('llama-tiny');
    bundleDir = packed.bundleDir;
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    await writeFile(join(dir, 'ca.pem'), gateway.ca);
    await writeFile(join(dir, 'token'), await gateway.token());
    writeNotes(join(dir, 'train.jsonl'), 10, 1);
  });

  after(async () => {
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const out = () => join(dir, 'run');
  const start = (...more: readonly string[]): ChildProcess => {
    const args = ['client', 'train', '--bundle', bundleDir, '--gateway', gateway.gateway.listen, '--ca', join(dir, 'ca.pem')];
    args.push('--token-file', join(dir, 'token'), '--data', join(dir, 'train.jsonl'), '--out', out(), '--no-tensorboard');
    args.push('--steps', String(STEPS), '--batch', '2', '--virtual-tokens', '2', '--checkpoint-every', '3', '--threads', '1');
    args.push('--dp-clip-norm', '1', '--dp-noise-multiplier', '1.5', '--dp-delta', '0.01', ...more);
    return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const ended = async (child: ChildProcess): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  };
  /** Resolves when the process has told of a step; a step's line comes after its parameters. */
  const afterStep = async (child: ChildProcess, step: number): Promise<void> => {
    for await (const chunk of child.stderr!.iterator({ destroyOnReturn: false })) {
      const told = [...String(chunk).matchAll(/step (\d+)\/16/g)].map(([, number]) => Number(number));
      if (told.some((number) => number >= step)) return;
    }
    throw new Error(`the client ended before step ${step}`);
  };
  const paid = async () => (await readFile(join(out(), 'privacy-ledger.jsonl'), 'utf8')).split('\n').length - 1;
  const checkpointed = async () =>
    Math.max(...(await readdir(join(out(), 'checkpoints'))).map((name) => Number(name.slice('step-'.length)) || 0));

  thorough('pays for every step that was taken, and again for those that are taken again', async () => {
    let child = start();
    await afterStep(child, 5);
    child.kill('SIGKILL');
    await ended(child);
    const first = await paid();
    assert.ok(first >= 5, `${first} steps paid for, 5 were seen`);
    const from = await checkpointed();
    child = start('--resume');
    await afterStep(child, from + 3);
    child.kill('SIGKILL');
    await ended(child);
    const second = await paid();
    assert.ok(second >= first + 3, `${second} steps paid for, ${first} and 3 more were seen`);
    const last = await checkpointed();
    assert.ok(last <= STEPS);
    assert.equal(await ended(start('--resume')), 0);
    const statement = JSON.parse(await readFile(join(out(), 'adapter', 'privacy.json'), 'utf8')) as PrivacyStatement;
    assert.equal(statement.rounds, second + STEPS - last);
    assert.equal(statement.rounds, await paid());
    const event = gaussianEvent(1.5, { kind: 'poisson', rate: 0.2 }, statement.rounds);
    assert.equal(statement.epsilon, epsilonOf([event], 0.01).epsilon);
  });
});
