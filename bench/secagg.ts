/**
 * The cost of secure aggregation against updates in the clear. It measures each client's message
 * bytes in the service's protobuf encoding against the update's float32 values. It measures a
 * client's processor time over a round and the coordinator's time to remove the masks. And
 * AES-256-CTR against ChaCha20 as the masks' generator.
 */
import { createCipheriv } from 'node:crypto';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packageRoot } from '../src/files/package-root.js';
import { SecAggClient } from '../src/protocol/secagg/client.js';
import { Cohort } from '../src/protocol/secagg/cohort.js';
import { fromRing, scaleOf, stochasticRound, toRing } from '../src/protocol/secagg/fixed-point.js';
import type { Confirmation } from '../src/protocol/secagg/messages.js';
import { addInto } from '../src/protocol/secagg/ring.js';
import { inboxOf, unmaskSum, verifySealed } from '../src/protocol/secagg/server.js';
import { defaultGraph, type SecAggRound } from '../src/protocol/secagg/settings.js';
import { generateIdentity, type IdentityKey } from '../src/protocol/secagg/signature.js';
import { verifyConfirmation, verifyMasked, verifyRevealed } from '../src/protocol/secagg/verification.js';
import { median } from './paired.js';
import type { Report } from './report.js';

/** 20 virtual tokens of 4096, 32 clients; one in eight leaves after the keys are shared. */
const [COHORT, VALUES, LEAVING] = [32, 20 * 4096, 4];

const federation = 'ab'.repeat(32);
const round: SecAggRound = {
  federation,
  round: 1,
  bits: 32,
  length: VALUES,
  threshold: 2 / 3,
  minSurvivors: 3,
  minCohort: 3,
  maxCohort: COHORT,
  graph: defaultGraph,
};

/** One client's state, bytes by direction without broadcasts, and processor time. */
interface Seat {
  readonly name: string;
  readonly identity: IdentityKey;
  readonly client: SecAggClient;
  readonly update: Float32Array;
  up: number;
  down: number;
  broadcast: number;
  cpuMs: number;
}

/** Adds the section's figures. */
export async function benchSecAgg(report: Report, rounds: number): Promise<void> {
  const runs = [];
  await playRound(); // warms up
  for (let run = 0; run < Math.max(rounds, 1); run++) runs.push(await playRound());
  const name = `secagg, ${COHORT} clients, 20 x 4096`;
  const plain = 4 * VALUES;
  const bytes = runs[0]!;
  report.add(`${name}: bytes a client sends`, bytes.up, 'bytes', { baseline: 'the update as float32', ratio: bytes.up / plain });
  report.add(`${name}: bytes for a client alone`, bytes.down, 'bytes', { baseline: 'the update as float32', ratio: bytes.down / plain });
  report.add(`${name}: bytes broadcast to all`, bytes.broadcast, 'bytes', {
    baseline: 'the update as float32',
    ratio: bytes.broadcast / plain,
  });
  report.add(`${name}: processor time of a client`, median(runs.map(({ clientMs }) => clientMs)), 'ms');
  report.add(`${name}: the same, slowest client`, Math.max(...runs.map(({ slowestMs }) => slowestMs)), 'ms');
  report.add(`${name}: coordinator, checks and sum`, median(runs.map(({ serverMs }) => serverMs)), 'ms');
  report.add(`${name}: coordinator, unmasking, ${LEAVING} left`, median(runs.map(({ unmaskMs }) => unmaskMs)), 'ms');
  const generators = Array.from({ length: 9 }, () => [expand('aes-256-ctr'), expand('chacha20')] as const);
  const [aes, chacha] = [median(generators.map(([a]) => a)), median(generators.map(([, b]) => b))];
  report.add('mask generator AES-256-CTR, 64 MiB', aes, 'ms', { baseline: 'ChaCha20', ratio: median(generators.map(([a, b]) => a / b)) });
  report.note(`ChaCha20: ${chacha.toFixed(1)} ms`);
}

interface RoundCost {
  readonly up: number;
  readonly down: number;
  readonly broadcast: number;
  readonly clientMs: number;
  readonly slowestMs: number;
  readonly serverMs: number;
  readonly unmaskMs: number;
}

async function playRound(): Promise<RoundCost> {
  const types = messageTypes();
  const seats = Array.from({ length: COHORT }, (_, i) => seat(`member-${String(i).padStart(2, '0')}`));
  const roster = new Map(seats.map(({ name, identity }) => [name, identity.publicKey]));
  const size = (type: string, message: object) => types.lookupType(`cutlayer.v1.${type}`).encode(message).finish().length;
  let serverMs = 0;
  const serve = <T>(work: () => T): T => {
    const [result, ms] = timed(work);
    serverMs += ms;
    return result;
  };
  const scale = scaleOf({ bits: 32, bound: 1, parties: COHORT });

  const enlistments = seats.map((seat) => {
    const advertisement = answer(seat, () => seat.client.advertise(new Uint8Array(32).fill(1)));
    const enlistment = { advertisement, purpose: 1, chainHead: federation, examples: 1000 };
    seat.up += size('EnlistRequest', { federation, round: 1, enlistment });
    return enlistment;
  });
  const advertisements = enlistments.map(({ advertisement }) => advertisement);
  const cohort = serve(() => Cohort.form(round, advertisements));
  const told = size('ShareKeysTask', { round: 1, cohort: enlistments });
  const sealed = seats.flatMap((seat) => {
    const shares = answer(seat, () => seat.client.shareKeys(advertisements, roster));
    serve(() => verifySealed(cohort, seat.name, shares));
    seat.up += size('ShareKeysRequest', { federation, round: 1, shares });
    return shares;
  });
  const sharers = seats.map(({ name }) => name);
  const staying = seats.slice(0, COHORT - LEAVING);
  const sum = new Uint32Array(VALUES);
  for (const seat of staying) {
    const inbox = serve(() => inboxOf(cohort, seat.name, sharers, sealed));
    seat.down += size('SubmitTask', { round: 1, inbox });
    const masked = answer(seat, () => seat.client.mask(inbox, toRing(stochasticRound(seat.update, scale), 32)));
    seat.up += size('SubmitRequest', { federation, round: 1, payload: new Uint8Array(masked.buffer) });
    serve(() => {
      verifyMasked(round, seat.name, masked);
      addInto(sum, masked, 32);
    });
  }
  const survivors = staying.map(({ name }) => name);
  const confirmations = staying.map((seat): Confirmation => {
    const confirmation = answer(seat, () => seat.client.confirm(survivors));
    serve(() => verifyConfirmation(cohort, survivors, confirmation, seat.identity.publicKey));
    seat.up += size('ConfirmRequest', { federation, round: 1, confirmation });
    return { ...confirmation, survivors: [] };
  });
  const revealed = staying.map((seat) => {
    const shares = answer(seat, () => seat.client.unmask(confirmations));
    serve(() => verifyRevealed(cohort, sharers, survivors, shares, seat.identity.publicKey));
    seat.up += size('UnmaskRequest', { federation, round: 1, revealed: shares });
    return shares;
  });
  const start = process.cpuUsage();
  const { sum: plain } = await unmaskSum(sum, { cohort, sharers, survivors, revealed });
  const unmaskMs = milliseconds(process.cpuUsage(start));
  requireSum(fromRing(plain, 32), staying, scale);
  const broadcast = told + size('ConfirmTask', { round: 1, survivors }) + size('UnmaskTask', { round: 1, confirmations });
  const times = staying.map(({ cpuMs }) => cpuMs);
  const [{ up, down }] = staying as [Seat];
  return { up, down, broadcast, clientMs: median(times), slowestMs: Math.max(...times), serverMs, unmaskMs };
}

function seat(name: string): Seat {
  const update = Float32Array.from({ length: VALUES }, (_, i) => Math.sin(i + name.length) / 2);
  const identity = generateIdentity();
  const pins = { minCohort: 3, minThreshold: 3, minSurvivors: 3, lastRound: 0 };
  const [client, cpuMs] = timed(() => SecAggClient.begin(round, pins, name, identity));
  return { name, identity, client, update, up: 0, down: 0, broadcast: 0, cpuMs };
}

/** A client's answer; its processor time counts for the client. */
function answer<T>(seat: Seat, work: () => T): T {
  const [result, ms] = timed(work);
  seat.cpuMs += ms;
  return result;
}

/** A result and its processor time, over all threads of this process. */
function timed<T>(work: () => T): [T, number] {
  const start = process.cpuUsage();
  const result = work();
  return [result, milliseconds(process.cpuUsage(start))];
}

function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

/** The figures are invalid if the sum is wrong. */
function requireSum(sum: Int32Array, staying: readonly Seat[], scale: number): void {
  for (let i = 0; i < VALUES; i += 997) {
    const expected = staying.reduce((total, { update }) => total + update[i]!, 0);
    if (Math.abs(sum[i]! / scale - expected) > staying.length / scale)
      throw new Error(`value ${i}: sum ${sum[i]! / scale}, expected ${expected}`);
  }
}

function expand(cipher: 'aes-256-ctr' | 'chacha20'): number {
  const zeros = new Uint8Array(65_536);
  const stream = createCipheriv(cipher, new Uint8Array(32).fill(1), new Uint8Array(16));
  return timed(() => {
    for (let piece = 0; piece < 1024; piece++) stream.update(zeros);
  })[1];
}

function messageTypes(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => join(packageRoot(), 'proto', target);
  return root.loadSync('cutlayer/v1/federation.proto');
}
