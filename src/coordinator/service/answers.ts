/** What the coordinator says, as the messages of the federation service. */
import type { SignedBroadcast } from '../../protocol/federation/chain.js';
import type { Enlistment } from '../../protocol/federation/enlistment.js';
import type { Task, TaskAnswer } from '../../protocol/federation/federation-api.js';
import type { SignedManifest } from '../../protocol/federation/manifest.js';
import { wirePurposes } from '../../protocol/wire/federation-names.js';
import type { Enlistment as EnlistmentMessage } from '../../protocol/wire/generated/cutlayer/v1/Enlistment.js';
import type { NextTaskResponse } from '../../protocol/wire/generated/cutlayer/v1/NextTaskResponse.js';
import type { SignedBytes } from '../../protocol/wire/generated/cutlayer/v1/SignedBytes.js';

/** Bytes and their signature. */
export function signedBytes({ bytes, signature }: SignedManifest | SignedBroadcast): SignedBytes {
  return { bytes, signature };
}

/** An answer to NextTask. */
export function taskMessage({ task, broadcasts, remainingMs }: TaskAnswer): NextTaskResponse {
  return { ...taskField(task), broadcasts, remainingMs: Math.max(0, Math.round(remainingMs)) };
}

function taskField(task: Task): NextTaskResponse {
  switch (task.kind) {
    case 'wait':
      return { wait: { reason: task.reason } };
    case 'finished':
      return { finished: { reason: task.reason } };
    case 'enlist': {
      const { round, purpose, version, promoted } = task;
      return { enlist: { round, purpose: wirePurposes[purpose], version, promoted } };
    }
    case 'shareKeys':
      return { shareKeys: { round: task.round, cohort: task.cohort.map(enlistmentMessage) } };
    case 'submit':
      return { submit: { round: task.round, cohort: task.cohort.map(enlistmentMessage), inbox: [...task.inbox] } };
    case 'confirm':
      return { confirm: { round: task.round, survivors: [...task.survivors] } };
    case 'unmask': {
      const confirmations = task.confirmations.map((confirmation) => ({ ...confirmation, survivors: [...confirmation.survivors] }));
      return { unmask: { round: task.round, confirmations } };
    }
  }
}

function enlistmentMessage({ advertisement, purpose, chainHead, examples }: Enlistment): EnlistmentMessage {
  return { advertisement, purpose: wirePurposes[purpose], chainHead, examples };
}
