/** A coordinator over gRPC: {@link FederationApi} in messages of the federation service. */
import type { FederationApi } from '../../../src/protocol/federation/federation-api.js';
import {
  confirmationCodec,
  enlistmentCodec,
  revealedCodec,
  sealedCodec,
  signedCodec,
} from '../../../src/protocol/federation/message-codec.js';
import { taskAnswerOf, taskRequestMessage } from '../../../src/protocol/federation/task-codec.js';
import type { IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';
import { decodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { type ChannelOptions, openChannel } from '../connection/rpc-channel.js';
import { MemberProver } from './member-prover.js';

/** How to reach a coordinator, and which federation is meant. */
export interface CoordinatorConnectionOptions extends ChannelOptions {
  /** Hex id. */
  readonly federation: string;
  /** The member's: proves its calls. */
  readonly identity: IdentityKey;
}

/** An open connection. */
export interface CoordinatorConnection extends FederationApi {
  close(): void;
}

/** What to call a received message in errors. */
const ANSWER = "the coordinator's answer";
/** Time that a waiting call has to come back beyond what it may wait. */
const POLL_SLACK_MS = 15_000;
/** A stage's own call is repeated this long at once; the participant tries again later. */
const RETRY_FOR_MS = 30_000;

/** Sends nothing before the first call. @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND */
export async function openCoordinatorConnection(options: CoordinatorConnectionOptions): Promise<CoordinatorConnection> {
  const { federation, identity, ...reached } = options;
  const prover: MemberProver = new MemberProver(federation, identity, async (attempt) => {
    // The call that it is for is repeated as a whole.
    const call = { ...attempt, retry: { retryForMs: 0 } };
    return (await channel.call('GetChallenge', { federation }, call)).challenge;
  });
  const retry = { retryForMs: RETRY_FOR_MS };
  const channel = await openChannel(loadFederationService().service, 'coordinator', { retry, ...reached, prover });
  const accepted = (): void => undefined;
  return {
    manifest: async () => signedCodec.value((await channel.call('GetFederation', { federation })).manifest, `${ANSWER}: manifest`),
    async nextTask(request, signal) {
      // Not repeated here: the caller tells a person of a coordinator that is away, and asks again.
      const options = { deadlineMs: request.waitMs + POLL_SLACK_MS, retry: { retryForMs: 0 }, signal };
      return taskAnswerOf(await channel.call('NextTask', taskRequestMessage(federation, request), options));
    },
    broadcasts: async (from) =>
      (await channel.call('GetBroadcasts', { federation, from })).broadcasts.map((one) => signedCodec.value(one, `${ANSWER}: broadcast`)),
    async version(version) {
      const { parameters } = await channel.call('GetVersion', { federation, version });
      return decodeTensor(parameters, { name: 'parameters', shape: ['*'] }).data;
    },
    enlist: (round, enlistment) =>
      channel.call('Enlist', { federation, round, enlistment: enlistmentCodec.message(enlistment) }).then(accepted),
    shareKeys: (round, shares) => channel.call('ShareKeys', { federation, round, ...sealedCodec.message(shares) }).then(accepted),
    submit: (round, payload) => channel.call('Submit', { federation, round, payload }).then(accepted),
    confirm: (round, confirmation) =>
      channel.call('Confirm', { federation, round, confirmation: confirmationCodec.message(confirmation) }).then(accepted),
    unmask: (round, revealed) => channel.call('Unmask', { federation, round, revealed: revealedCodec.message(revealed) }).then(accepted),
    close: () => channel.close(),
  };
}
