/**
 * The federation service over TLS with real tokens. Its coordinator records calls and answers as a
 * test says.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallProver } from '../../clients/typescript/connection/call-prover.js';
import { openChannel } from '../../clients/typescript/connection/rpc-channel.js';
import { MemberProver } from '../../clients/typescript/federation/member-prover.js';
import type { CoordinatorApi, FederationReport } from '../../src/coordinator/coordinator-api.js';
import { federationService } from '../../src/coordinator/service/handlers.js';
import { MemberProofs } from '../../src/coordinator/service/member-proofs.js';
import type { FederationApi, TaskAnswer } from '../../src/protocol/federation/federation-api.js';
import { type IdentityKey, identityFromSeed } from '../../src/protocol/secagg/signature.js';
import { loadFederationService } from '../../src/protocol/wire/federation-service.js';
import { openIdentity } from '../../src/server/auth/identity.js';
import { issueToken } from '../../src/server/auth/issuer.js';
import { KeyRing } from '../../src/server/auth/key-ring.js';
import { openAuth } from '../../src/server/auth/open-auth.js';
import type { Scope } from '../../src/server/auth/scopes.js';
import { createLogger } from '../../src/server/observability/log.js';
import { type CallObservation, createCallMetrics } from '../../src/server/observability/metrics.js';
import { createRpcServer, type RpcServer } from '../../src/server/rpc/server.js';
import type { ListeningConfig } from '../../src/server/security.js';
import { openTls } from '../../src/server/tls/open-tls.js';

/** A call that reached the coordinator: caller, method and arguments. */
export interface Asked {
  /** The member's name, or `founder`. */
  readonly as: string;
  readonly federation: string;
  readonly what: string;
  readonly args: readonly unknown[];
}

/** What a test lets the coordinator answer. */
export interface Script {
  nextTask?: (signal: AbortSignal | undefined) => Promise<TaskAnswer>;
  report?: FederationReport;
  /** A member's key on the roster of a federation. Default: {@link keyOf}. */
  memberKey?: (federation: string, name: string) => Uint8Array;
  parameters?: Float32Array;
}

/** Opens a channel with the token of a tenant, and its key where it is a member. */
export type OpenAs = (tenant: string, ...scopes: Scope[]) => Promise<Awaited<ReturnType<typeof openFederation>>>;

/** A running server. */
export interface ScriptedCoordinator {
  readonly asked: Asked[];
  readonly observed: CallObservation[];
  readonly server: RpcServer;
  readonly address: string;
  /** The authority of its certificate, PEM. */
  readonly ca: string;
  readonly caFile: string;
  as: OpenAs;
  /** The same with another key. */
  withKey(identity: IdentityKey, tenant: string): ReturnType<OpenAs>;
  /** A member's token, for ten minutes. @param issuedAt milliseconds since 1970, default now */
  token(tenant: string, issuedAt?: number): Promise<string>;
  /** Lets so much time pass for the challenges. */
  later(ms: number): void;
  close(): Promise<void>;
}

/** Opens a channel to a coordinator. @param ca PEM, or a file of it */
export const openFederation = (address: string, ca: string, token: string, prover?: CallProver) =>
  openChannel(loadFederationService().service, 'coordinator', {
    ...{ address, ca, token, retry: { retryForMs: 0 } },
    ...(prover === undefined ? {} : { prover }),
  });

/** The key that every federation has for a name, unless the script says otherwise. */
export const keyOf = (name: string): IdentityKey => identityFromSeed(createHash('sha256').update(name).digest());

const ofFounders = ['CreateFederation', 'ControlFederation', 'GetStatus', 'GetCoordinator'];

/** Proves calls to any federation: its id is the first field of every request. */
export function proverFor(identity: IdentityKey, fetch: (federation: string) => Promise<Uint8Array>): CallProver {
  const provers = new Map<string, MemberProver>();
  return {
    async prove(attempt) {
      if (ofFounders.includes(attempt.method)) return undefined;
      const federation = Buffer.from(attempt.message.subarray(2, 66)).toString();
      const prover = provers.get(federation) ?? new MemberProver(federation, identity, () => fetch(federation));
      provers.set(federation, prover);
      return prover.prove(attempt);
    },
    renew: () => provers.forEach((prover) => void prover.renew()),
  };
}

/** Starts one. */
export async function startScriptedCoordinator(script: Script): Promise<ScriptedCoordinator> {
  const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-scripted-'));
  const asked: Asked[] = [];
  const observed: CallObservation[] = [];
  let passed = 0;
  const config: ListeningConfig = {
    stateDir,
    listen: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    adminTls: false,
    insecure: false,
    tlsNames: [],
  };
  const log = createLogger({ level: 'silent' });
  const [{ credentials, caFile }, { verify }] = await Promise.all([
    openTls(config, { secrets: 'nothing', log, now: Date.now }),
    openAuth(config, 'coordinator', Date.now),
  ]);
  const metrics = createCallMetrics({ process: false });
  const server = createRpcServer({
    role: 'coordinator',
    services: [federationService(scripted(script, asked), Date.now, log, new MemberProofs(() => performance.now() + passed))],
    verify,
    limits: { maxMessageBytes: 1 << 20, maxDeadlineMs: 60_000, maxInFlight: 8, maxInFlightPerTenant: 4 },
    credentials,
    metrics: {
      observeCall(call) {
        observed.push(call);
        metrics.observeCall(call);
      },
    },
    log,
    now: Date.now,
  });
  const port = await server.listen('127.0.0.1:0');
  const ca = await readFile(caFile!, 'utf8');
  const ring = await KeyRing.open(stateDir);
  const identity = await openIdentity(stateDir);
  const opened: { close(): void }[] = [];
  const issue = (tenant: string, scopes: readonly Scope[], issuedAt = Date.now()): Promise<string> =>
    issueToken(ring, identity, { tenant, scopes, ttlSeconds: 600 }, issuedAt);
  const open = async (tenant: string, scopes: readonly Scope[], key: IdentityKey) => {
    const token = await issue(tenant, scopes);
    const prover = proverFor(key, async (federation) => (await channel.call('GetChallenge', { federation })).challenge);
    const isMember = scopes.includes('federate');
    const channel: Awaited<ReturnType<typeof openFederation>> = await openFederation(
      `127.0.0.1:${port}`,
      ca,
      token,
      isMember ? prover : undefined,
    );
    opened.push(channel);
    return channel;
  };
  return {
    asked,
    observed,
    server,
    address: `127.0.0.1:${port}`,
    ca,
    caFile: caFile!,
    as: (tenant, ...scopes) => open(tenant, scopes, keyOf(tenant)),
    withKey: (key, tenant) => open(tenant, ['federate'], key),
    token: (tenant, issuedAt) => issue(tenant, ['federate'], issuedAt),
    later(ms) {
      passed += ms;
    },
    async close() {
      for (const channel of opened) channel.close();
      await server.drain(0);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

const manifest = { bytes: Uint8Array.of(1, 2), signature: Uint8Array.of(3) };

function scripted(script: Script, asked: Asked[]): CoordinatorApi {
  const readerAs = (as: string, federation: string) => {
    const note = (what: string, ...args: unknown[]): void => void asked.push({ as, federation, what, args });
    const api: FederationApi = {
      async manifest() {
        note('manifest');
        return manifest;
      },
      async nextTask(request, signal) {
        note('nextTask', request);
        return script.nextTask!(signal);
      },
      async broadcasts(from) {
        note('broadcasts', from);
        return [{ bytes: Uint8Array.of(7), signature: Uint8Array.of(8) }];
      },
      async version(version) {
        note('version', version);
        return script.parameters!;
      },
      enlist: async (...args) => note('enlist', ...args),
      shareKeys: async (...args) => note('shareKeys', ...args),
      submit: async (...args) => note('submit', ...args),
      confirm: async (...args) => note('confirm', ...args),
      unmask: async (...args) => note('unmask', ...args),
    };
    return api;
  };
  const note = (federation: string, what: string, ...args: unknown[]): void => void asked.push({ as: 'founder', federation, what, args });
  return {
    publicKey: new Uint8Array(32).fill(5),
    memberKey: (federation, name) => (script.memberKey ?? ((_, member) => keyOf(member).publicKey))(federation, name),
    member: (federation, name) => readerAs(name, federation),
    reader: (federation) => readerAs('founder', federation),
    async create(...args) {
      note('', 'create', ...args);
      return 'ab'.repeat(32);
    },
    async control(federation, action, order) {
      note(federation, 'control', action, order);
      return script.report!;
    },
    async status(federation) {
      note(federation ?? 'all', 'status');
      return [script.report!];
    },
    close: async () => {},
  };
}
