/**
 * A member's call for a task and the answer to it, as messages of the federation service and back.
 */
import { CutlayerError } from '../../errors.js';
import { enumName, wirePurposes, wireStages } from '../wire/federation-names.js';
import type { NextTaskRequest, NextTaskRequest__Output } from '../wire/generated/cutlayer/v1/NextTaskRequest.js';
import type { NextTaskResponse, NextTaskResponse__Output } from '../wire/generated/cutlayer/v1/NextTaskResponse.js';
import type { Task, TaskAnswer, TaskRequest } from './federation-api.js';
import { confirmationCodec, enlistmentCodec, present, purposeIn, sealedCodec } from './message-codec.js';

/** A call for a task. */
export function taskRequestMessage(federation: string, { done, ...fields }: TaskRequest): NextTaskRequest {
  return { federation, ...fields, ...(done === null ? {} : { doneRound: done.round, doneStage: wireStages[done.stage] }) };
}

/** A received call for a task. @throws CutlayerError INVALID_ARGUMENT */
export function taskRequestOf(message: NextTaskRequest__Output): TaskRequest {
  const { waitMs, broadcastsKnown, newExamplesReady, canEvaluate, doneRound, doneStage } = message;
  const asked = { waitMs, broadcastsKnown, newExamplesReady, canEvaluate };
  if (doneRound === 0) return { ...asked, done: null };
  const stage = enumName(wireStages, doneStage);
  if (stage === undefined) {
    const details = { field: 'doneStage' };
    throw new CutlayerError('INVALID_ARGUMENT', 'doneStage: expected a stage together with doneRound', { details });
  }
  return { ...asked, done: { round: doneRound, stage } };
}

/** An answer to a call for a task. */
export function taskMessage({ task, broadcasts, remainingMs }: TaskAnswer): NextTaskResponse {
  return { ...taskField(task), broadcasts, remainingMs: Math.max(0, Math.round(remainingMs)) };
}

/**
 * A received answer. @throws CutlayerError INVALID_ARGUMENT when a part of it is missing or unknown
 */
export function taskAnswerOf(answer: NextTaskResponse__Output): TaskAnswer {
  return { task: taskOf(answer), broadcasts: answer.broadcasts, remainingMs: answer.remainingMs };
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
      return { shareKeys: { round: task.round, cohort: task.cohort.map(enlistmentCodec.message) } };
    case 'submit':
      return {
        submit: { round: task.round, cohort: task.cohort.map(enlistmentCodec.message), inbox: sealedCodec.message(task.inbox).shares },
      };
    case 'confirm':
      return { confirm: { round: task.round, survivors: [...task.survivors] } };
    case 'unmask':
      return { unmask: { round: task.round, confirmations: task.confirmations.map(confirmationCodec.message) } };
  }
}

function taskOf(answer: NextTaskResponse__Output): Task {
  const { task: kind } = answer;
  const name = `the coordinator's answer: ${kind}`;
  switch (kind) {
    case 'wait':
    case 'finished':
      return { kind, reason: present(answer[kind], name).reason };
    case 'enlist': {
      const { round, purpose, version, promoted } = present(answer.enlist, name);
      return { kind, round, purpose: purposeIn(purpose, `${name}.purpose`), version, promoted };
    }
    case 'shareKeys': {
      const { round, cohort } = present(answer.shareKeys, name);
      return { kind, round, cohort: cohort.map((one) => enlistmentCodec.value(one, `${name}.cohort`)) };
    }
    case 'submit': {
      const { round, cohort, inbox } = present(answer.submit, name);
      return {
        kind,
        round,
        cohort: cohort.map((one) => enlistmentCodec.value(one, `${name}.cohort`)),
        inbox: sealedCodec.value({ shares: inbox }, `${name}.inbox`),
      };
    }
    case 'confirm': {
      const { round, survivors } = present(answer.confirm, name);
      return { kind, round, survivors };
    }
    case 'unmask': {
      const { round, confirmations } = present(answer.unmask, name);
      return { kind, round, confirmations: confirmations.map((one) => confirmationCodec.value(one, `${name}.confirmations`)) };
    }
    default:
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        "the coordinator's answer: expected a task that this version knows; is the coordinator newer than this program?",
      );
  }
}
