/**
 * The methods of the federation service, after authentication and parsing. The tenant of a token is
 * the member's name, and a proof binds the call to the member's key. A founder's token reads and
 * controls, and takes no part in rounds.
 */
import type { FederationApi } from '../../protocol/federation/federation-api.js';
import { signedCodec } from '../../protocol/federation/message-codec.js';
import { taskMessage, taskRequestOf } from '../../protocol/federation/task-codec.js';
import { federationRequestLayouts } from '../../protocol/wire/federation-layouts.js';
import { FEDERATION_SERVICE, loadFederationService } from '../../protocol/wire/federation-service.js';
import type { FederationDefinition } from '../../protocol/wire/generated/cutlayer/v1/Federation.js';
import { decodeTensor, encodeTensor } from '../../protocol/wire/tensor-codec.js';
import { type Principal, requireScope } from '../../server/auth/scopes.js';
import type { Call } from '../../server/rpc/calls.js';
import { type HandlersOf, type RpcService, rpcService } from '../../server/rpc/rpc-service.js';
import { f32 } from '../../tensor/tensor.js';
import type { CoordinatorApi, FederationReader } from '../coordinator-api.js';
import { type CoordinatorLog, silentLog } from '../rounds/federation-context.js';
import { MemberProofs } from './member-proofs.js';
import { reportMessage } from './reports.js';
import { confirmationOf, controlAction, enlistmentOf, federationId, founderOrder, revealedOf, sharesOf } from './requests.js';
import { concealed } from './store-faults.js';
import { longestWaitMs, whileWaiting } from './waiting.js';

/** Most members of a federation. */
const MAX_MEMBERS = 10_000;

/** The federation service over one coordinator. @param now milliseconds since 1970 */
export function federationService(
  coordinator: CoordinatorApi,
  now: () => number,
  log: CoordinatorLog = silentLog,
  proofs = new MemberProofs(),
): RpcService {
  return rpcService({
    name: FEDERATION_SERVICE,
    definition: loadFederationService().service,
    layouts: federationRequestLayouts(MAX_MEMBERS),
    handlers: concealing(federationHandlers(coordinator, now, proofs), log),
  });
}

/** The same handlers, with what callers are told of the store's faults. */
function concealing(handlers: HandlersOf<FederationDefinition>, log: CoordinatorLog): HandlersOf<FederationDefinition> {
  type Handler = (request: never, call: never, message: never) => unknown;
  const wrapped = Object.entries<Handler>(handlers).map(([name, handler]) => [
    name,
    async (request: never, call: never, message: never) => {
      try {
        return await handler(request, call, message);
      } catch (caught) {
        throw concealed(caught, log);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as HandlersOf<FederationDefinition>; // each handler under its own name
}

/** The handlers of one coordinator. */
function federationHandlers(coordinator: CoordinatorApi, now: () => number, proofs: MemberProofs): HandlersOf<FederationDefinition> {
  /** The caller's key. @throws CutlayerError SCOPE_MISSING, INVALID_ARGUMENT, NOT_FOUND */
  function memberKey(id: string, principal: Principal): Uint8Array {
    requireScope(principal, 'federate');
    return coordinator.memberKey(federationId(id), principal.tenant);
  }

  /**
   * The caller as a member that has proven its call.
   * @throws CutlayerError SCOPE_MISSING, INVALID_ARGUMENT, NOT_FOUND, NOT_A_MEMBER (another key),
   *   PROOF_REFUSED
   */
  async function member(id: string, call: Call, message: Uint8Array): Promise<FederationApi> {
    const { method, principal, proof } = call;
    await proofs.accept(id, { method, principal, proof, message }, memberKey(id, principal));
    return coordinator.member(id, principal.tenant);
  }

  /** The caller as founder, or as a member. @throws CutlayerError as {@link member} */
  async function reader(id: string, call: Call, message: Uint8Array): Promise<FederationReader> {
    requireScope(call.principal, 'federate', 'admin');
    return isFounder(call.principal) ? coordinator.reader(federationId(id)) : member(id, call, message);
  }

  return {
    async GetFederation({ federation }, { principal }) {
      requireScope(principal, 'federate', 'admin');
      const id = federationId(federation);
      // A member reads it before it knows the roster: no proof is asked for.
      const source = isFounder(principal) ? coordinator.reader(id) : coordinator.member(id, principal.tenant);
      return { manifest: signedCodec.message(await source.manifest()) };
    },

    GetChallenge({ federation }, { principal }) {
      memberKey(federation, principal);
      return { challenge: Buffer.from(proofs.challenge(federation, principal)) };
    },

    async NextTask(request, call, message) {
      const asked = taskRequestOf(request);
      const api = await member(request.federation, call, message);
      const waitMs = Math.min(asked.waitMs, longestWaitMs(call, now()));
      return taskMessage(await whileWaiting(call, (signal) => api.nextTask({ ...asked, waitMs }, signal)));
    },

    async GetBroadcasts({ federation, from }, call, message) {
      const broadcasts = await (await reader(federation, call, message)).broadcasts(from);
      return { broadcasts: broadcasts.map(signedCodec.message) };
    },

    async GetVersion({ federation, version }, call, message) {
      const values = await (await reader(federation, call, message)).version(version);
      return { parameters: encodeTensor(f32([values.length], values), 'f32', `version ${version}`) };
    },

    async Enlist(request, call, message) {
      const api = await member(request.federation, call, message);
      await api.enlist(request.round, enlistmentOf(request, call.principal.tenant));
      return {};
    },

    async ShareKeys(request, call, message) {
      const api = await member(request.federation, call, message);
      await api.shareKeys(request.round, sharesOf(request, call.principal.tenant));
      return {};
    },

    async Submit({ federation, round, payload }, call, message) {
      const api = await member(federation, call, message);
      await api.submit(round, new Uint8Array(payload));
      return {};
    },

    async Confirm(request, call, message) {
      const api = await member(request.federation, call, message);
      await api.confirm(request.round, confirmationOf(request, call.principal.tenant));
      return {};
    },

    async Unmask(request, call, message) {
      const api = await member(request.federation, call, message);
      await api.unmask(request.round, revealedOf(request, call.principal.tenant));
      return {};
    },

    async CreateFederation({ manifest, parameters }, { principal }) {
      requireScope(principal, 'admin');
      const { data } = decodeTensor(parameters, { name: 'parameters', shape: ['*'] });
      return { federation: await coordinator.create(signedCodec.value(manifest, 'manifest'), data) };
    },

    async ControlFederation(request, { principal }) {
      requireScope(principal, 'admin');
      const action = controlAction(request);
      return reportMessage(await coordinator.control(federationId(request.federation), action, founderOrder(request)));
    },

    async GetStatus({ federation }, { principal }) {
      requireScope(principal, 'admin');
      const reports = await coordinator.status(federation === '' ? undefined : federationId(federation));
      return { federations: reports.map(reportMessage) };
    },

    GetCoordinator(_request, { principal }) {
      requireScope(principal, 'admin');
      return { publicKey: coordinator.publicKey };
    },
  };
}

function isFounder({ scopes }: Principal): boolean {
  return scopes.has('admin');
}
