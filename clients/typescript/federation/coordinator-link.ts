/** A coordinator over gRPC: {@link FederationApi} in messages of the federation service. */

import { CutlayerError } from '../../../src/errors.js';
import type { Enlistment } from '../../../src/protocol/federation/enlistment.js';
import type { FederationApi, Task } from '../../../src/protocol/federation/federation-api.js';
import { purposeOf, wirePurposes, wireStages } from '../../../src/protocol/wire/federation-names.js';
import { loadFederationService } from '../../../src/protocol/wire/federation-service.js';
import type { Enlistment__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/Enlistment.js';
import type { NextTaskResponse__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/NextTaskResponse.js';
import type { SignedBytes__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/SignedBytes.js';
import { decodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { type ChannelOptions, openChannel } from '../connection/rpc-channel.js';

/** How to reach a coordinator, and which federation is meant. */
export interface CoordinatorLinkOptions extends ChannelOptions {
  /** Hex id. */
  readonly federation: string;
}

/** An open link. */
export interface CoordinatorLink extends FederationApi {
  close(): void;
}

/** Time that a waiting call has to come back beyond what it may wait. */
const POLL_SLACK_MS = 15_000;
/** A stage's own call is repeated this long at once; whoever answers the stage tries again later. */
const RETRY_FOR_MS = 30_000;

/** Opens a link; nothing is sent before the first call. @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND (CA or token file) */
export async function openCoordinatorLink({ federation, ...options }: CoordinatorLinkOptions): Promise<CoordinatorLink> {
  const channel = await openChannel(loadFederationService().service, 'coordinator', { retry: { retryForMs: RETRY_FOR_MS }, ...options });
  const accepted = (): void => undefined;
  return {
    manifest: async () => signed((await channel.call('GetFederation', { federation })).manifest, 'manifest'),
    async nextTask({ waitMs, broadcastsKnown, newExamplesReady, canEvaluate, done }, signal) {
      const answer = await channel.call(
        'NextTask',
        {
          federation,
          waitMs,
          broadcastsKnown,
          newExamplesReady,
          canEvaluate,
          ...(done === null ? {} : { doneRound: done.round, doneStage: wireStages[done.stage] }),
        },
        // Whoever asks for tasks tells a person of a coordinator that is away, and asks again.
        { deadlineMs: waitMs + POLL_SLACK_MS, retry: { retryForMs: 0 }, signal },
      );
      return { task: taskOf(answer), broadcasts: answer.broadcasts, remainingMs: answer.remainingMs };
    },
    broadcasts: async (from) =>
      (await channel.call('GetBroadcasts', { federation, from })).broadcasts.map((link) => signed(link, 'broadcast')),
    async version(version) {
      const { parameters } = await channel.call('GetVersion', { federation, version });
      return decodeTensor(parameters, { name: 'parameters', shape: ['*'] }).data;
    },
    enlist: (round, enlistment) =>
      channel
        .call('Enlist', { federation, round, enlistment: { ...enlistment, purpose: wirePurposes[enlistment.purpose] } })
        .then(accepted),
    shareKeys: (round, shares) => channel.call('ShareKeys', { federation, round, shares: [...shares] }).then(accepted),
    submit: (round, payload) => channel.call('Submit', { federation, round, payload }).then(accepted),
    confirm: (round, confirmation) =>
      channel
        .call('Confirm', { federation, round, confirmation: { ...confirmation, survivors: [...confirmation.survivors] } })
        .then(accepted),
    unmask: (round, revealed) =>
      channel
        .call('Unmask', {
          federation,
          round,
          revealed: { ...revealed, maskKeyShares: [...revealed.maskKeyShares], selfMaskShares: [...revealed.selfMaskShares] },
        })
        .then(accepted),
    close: () => channel.close(),
  };
}

function taskOf(answer: NextTaskResponse__Output): Task {
  switch (answer.task) {
    case 'wait':
      return { kind: 'wait', reason: present(answer.wait, 'wait').reason };
    case 'finished':
      return { kind: 'finished', reason: present(answer.finished, 'finished').reason };
    case 'enlist': {
      const { round, purpose, version, promoted } = present(answer.enlist, 'enlist');
      return { kind: 'enlist', round, purpose: purposeIn(purpose), version, promoted };
    }
    case 'shareKeys': {
      const { round, cohort } = present(answer.shareKeys, 'shareKeys');
      return { kind: 'shareKeys', round, cohort: cohort.map(enlistmentOf) };
    }
    case 'submit': {
      const { round, cohort, inbox } = present(answer.submit, 'submit');
      return {
        kind: 'submit',
        round,
        cohort: cohort.map(enlistmentOf),
        inbox: inbox.map(({ from, to, ciphertext }) => ({ from, to, ciphertext: own(ciphertext) })),
      };
    }
    case 'confirm': {
      const { round, survivors } = present(answer.confirm, 'confirm');
      return { kind: 'confirm', round, survivors };
    }
    case 'unmask': {
      const { round, confirmations } = present(answer.unmask, 'unmask');
      return {
        kind: 'unmask',
        round,
        confirmations: confirmations.map(({ participant, survivors, signature }) => ({
          participant,
          survivors,
          signature: own(signature),
        })),
      };
    }
    default:
      throw unexpected('a task that this version knows; is the coordinator newer than this program?');
  }
}

function enlistmentOf({ advertisement, purpose, chainHead, examples }: Enlistment__Output): Enlistment {
  const { participant, encryptionKey, maskKey, selfMaskCommitment, context, signature } = present(advertisement, 'advertisement');
  return {
    purpose: purposeIn(purpose),
    chainHead,
    examples,
    advertisement: {
      participant,
      encryptionKey: own(encryptionKey),
      maskKey: own(maskKey),
      selfMaskCommitment: own(selfMaskCommitment),
      context: own(context),
      signature: own(signature),
    },
  };
}

function purposeIn(value: Enlistment__Output['purpose']): Enlistment['purpose'] {
  return purposeOf(value) ?? fail('the purpose train or evaluate');
}

function signed(message: SignedBytes__Output | null, name: string) {
  const { bytes, signature } = present(message, name);
  return { bytes: own(bytes), signature: own(signature) };
}

function present<T>(value: T | null | undefined, name: string): T {
  return value ?? fail(name);
}

function fail(wanted: string): never {
  throw unexpected(wanted);
}

function unexpected(wanted: string): CutlayerError {
  return new CutlayerError('INVALID_ARGUMENT', `the coordinator's answer: expected ${wanted}`);
}

/** A copy with memory of its own: received bytes are views into a buffer of the connection's. */
function own(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}
