/**
 * The methods of the federation service, after authentication and parsing. The tenant of a token is
 * the member's name. A founder's token reads and controls, and takes no part in rounds.
 */
import type { FederationApi } from '../../protocol/federation/federation-api.js';
import { signedCodec } from '../../protocol/federation/message-codec.js';
import { taskMessage, taskRequestOf } from '../../protocol/federation/task-codec.js';
import { federationRequestLayouts } from '../../protocol/wire/federation-layouts.js';
import { FEDERATION_SERVICE, loadFederationService } from '../../protocol/wire/federation-service.js';
import type { FederationDefinition } from '../../protocol/wire/generated/cutlayer/v1/Federation.js';
import { decodeTensor, encodeTensor } from '../../protocol/wire/tensor-codec.js';
import { type Principal, requireScope } from '../../server/auth/scopes.js';
import { type HandlersOf, type RpcService, rpcService } from '../../server/rpc/rpc-service.js';
import { f32 } from '../../tensor/tensor.js';
import type { CoordinatorApi, FederationReader } from '../coordinator-api.js';
import { type CoordinatorLog, silentLog } from '../rounds/federation-context.js';
import { reportMessage } from './reports.js';
import { confirmationOf, controlAction, enlistmentOf, federationId, founderOrder, revealedOf, sharesOf } from './requests.js';
import { concealed } from './store-faults.js';
import { longestWaitMs, whileWaiting } from './waiting.js';

/** Most members of a federation. */
const MAX_MEMBERS = 10_000;

/** The federation service over one coordinator. @param now milliseconds since 1970 */
export function federationService(coordinator: CoordinatorApi, now: () => number, log: CoordinatorLog = silentLog): RpcService {
  return rpcService({
    name: FEDERATION_SERVICE,
    definition: loadFederationService().service,
    layouts: federationRequestLayouts(MAX_MEMBERS),
    handlers: concealing(federationHandlers(coordinator, now), log),
  });
}

/** The same handlers, with what callers are told of the store's faults. */
function concealing(handlers: HandlersOf<FederationDefinition>, log: CoordinatorLog): HandlersOf<FederationDefinition> {
  type Handler = (request: never, call: never) => unknown;
  const wrapped = Object.entries<Handler>(handlers).map(([name, handler]) => [
    name,
    async (request: never, call: never) => {
      try {
        return await handler(request, call);
      } catch (caught) {
        throw concealed(caught, log);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as HandlersOf<FederationDefinition>; // each handler under its own name
}

/** The handlers of one coordinator. */
function federationHandlers(coordinator: CoordinatorApi, now: () => number): HandlersOf<FederationDefinition> {
  /** The caller as a member. @throws CutlayerError SCOPE_MISSING, INVALID_ARGUMENT */
  function member(id: string, principal: Principal): FederationApi {
    requireScope(principal, 'federation:participate');
    return coordinator.member(federationId(id), principal.tenant);
  }

  /** The caller as founder or as member. @throws CutlayerError SCOPE_MISSING, INVALID_ARGUMENT */
  function reader(id: string, principal: Principal): FederationReader {
    requireScope(principal, 'federation:participate', 'federation:admin');
    return principal.scopes.has('federation:admin') ? coordinator.reader(federationId(id)) : member(id, principal);
  }

  return {
    async GetFederation({ federation }, { principal }) {
      return { manifest: signedCodec.message(await reader(federation, principal).manifest()) };
    },

    async NextTask(request, call) {
      const asked = taskRequestOf(request);
      const waitMs = Math.min(asked.waitMs, longestWaitMs(call, now()));
      const api = member(request.federation, call.principal);
      return taskMessage(await whileWaiting(call, (signal) => api.nextTask({ ...asked, waitMs }, signal)));
    },

    async GetBroadcasts({ federation, from }, { principal }) {
      return { broadcasts: (await reader(federation, principal).broadcasts(from)).map(signedCodec.message) };
    },

    async GetVersion({ federation, version }, { principal }) {
      const values = await reader(federation, principal).version(version);
      return { parameters: encodeTensor(f32([values.length], values), 'f32', `version ${version}`) };
    },

    async Enlist(request, { principal }) {
      await member(request.federation, principal).enlist(request.round, enlistmentOf(request, principal.tenant));
      return {};
    },

    async ShareKeys(request, { principal }) {
      await member(request.federation, principal).shareKeys(request.round, sharesOf(request, principal.tenant));
      return {};
    },

    async Submit({ federation, round, payload }, { principal }) {
      await member(federation, principal).submit(round, new Uint8Array(payload));
      return {};
    },

    async Confirm(request, { principal }) {
      await member(request.federation, principal).confirm(request.round, confirmationOf(request, principal.tenant));
      return {};
    },

    async Unmask(request, { principal }) {
      await member(request.federation, principal).unmask(request.round, revealedOf(request, principal.tenant));
      return {};
    },

    async CreateFederation({ manifest, parameters }, { principal }) {
      requireScope(principal, 'federation:admin');
      const { data } = decodeTensor(parameters, { name: 'parameters', shape: ['*'] });
      return { federation: await coordinator.create(signedCodec.value(manifest, 'manifest'), data) };
    },

    async ControlFederation(request, { principal }) {
      requireScope(principal, 'federation:admin');
      const action = controlAction(request);
      return reportMessage(await coordinator.control(federationId(request.federation), action, founderOrder(request)));
    },

    async GetStatus({ federation }, { principal }) {
      requireScope(principal, 'federation:admin');
      const reports = await coordinator.status(federation === '' ? undefined : federationId(federation));
      return { federations: reports.map(reportMessage) };
    },

    GetCoordinator(_request, { principal }) {
      requireScope(principal, 'federation:admin');
      return { publicKey: coordinator.publicKey };
    },
  };
}
