/** What a person sees of a federation: lines for events, and a bar while this member trains. */

import { byteText } from '../../../../src/files/byte-text.js';
import { Output, terminal } from '../../../../src/files/output.js';
import { progressBar } from '../../../../src/files/progress-bar.js';
import type { VersionMetrics } from '../../../../src/protocol/federation/chain.js';
import type { DataEvent } from '../../federation/data/local-data.js';
import type { ParticipantEvent } from '../../federation/participant-events.js';
import { percent } from '../text-layout.js';

export interface FederateReporter {
  readonly onEvent: (event: ParticipantEvent) => void;
  /** Takes the bar down. May be called twice. */
  stop(): void;
}

/** Without a terminal: a line for about every fifth part of a round's training. */
const PLAIN_LINES = 5;
const FORMAT = 'round {round}  training {bar} {value}/{total}  loss {loss}  ETA {eta_formatted}';

const stageWords = {
  enlisting: 'enlisted; waiting for the others',
  sharing: 'keys are shared with the cohort',
  submitting: 'at work on its own data',
  confirming: 'masked updates are in; confirming whose',
  unmasking: 'taking the masks off the sum',
} as const;

export function federateReporter(stream: NodeJS.WriteStream = terminal()): FederateReporter {
  const out = new Output(() => stream);
  const bar = stream.isTTY ? progressBar(stream, { format: FORMAT }) : undefined;
  let training = false;
  const say = (line: string): void => {
    if (bar?.isActive) out.clearStatus();
    out.line(line);
  };
  const stop = (): void => {
    if (training) bar?.stop();
    training = false;
  };
  return {
    stop,
    onEvent(event) {
      if (event.type !== 'step') stop();
      if (event.type !== 'step' || bar === undefined) {
        const line = lineOf(event);
        if (line !== undefined) say(line);
        return;
      }
      if (!training) bar.start(event.stepsInRound, event.stepInRound, { round: event.round, loss: '-' });
      training = true;
      bar.update(event.stepInRound, { round: event.round, loss: event.loss.toFixed(4) });
    },
  };
}

/** An event in a line; undefined where there is nothing to say. */
export function lineOf(event: ParticipantEvent): string | undefined {
  switch (event.type) {
    case 'joined': {
      const how = event.secureAggregation
        ? 'the coordinator sees sums of updates only'
        : 'WITHOUT secure aggregation: the coordinator sees your update';
      return `${event.member} in ${event.name} (${event.federation.slice(0, 12)}): ${how}${event.version === undefined ? '' : `; version ${event.version} is promoted`}`;
    }
    case 'waiting':
      return event.reason === '' ? 'waiting' : `waiting: ${event.reason}`;
    case 'offline':
      return `${event.code}: ${event.message}${event.delayMs > 0 ? `; trying again in ${(event.delayMs / 1000).toFixed(0)} s` : ''}`;
    case 'online':
      return 'the coordinator is back';
    case 'round': {
      const what = event.purpose === 'train' ? `train from version ${event.version} on` : `measure version ${event.version} on`;
      return `round ${event.round}: ${what} ${event.examples} examples`;
    }
    case 'stage': {
      const who =
        event.cohort === undefined
          ? ''
          : ` (${event.cohort.length}: ${event.cohort.slice(0, 8).join(', ')}${event.cohort.length > 8 ? ' …' : ''})`;
      const left = event.remainingMs > 0 ? `, ${duration(event.remainingMs)} left` : '';
      return `round ${event.round}: ${stageWords[event.stage]}${who}${left}`;
    }
    case 'step': {
      const every = Math.max(1, Math.round(event.stepsInRound / PLAIN_LINES));
      if (event.stepInRound % every !== 0 && event.stepInRound !== event.stepsInRound) return undefined;
      return `round ${event.round}: step ${event.stepInRound}/${event.stepsInRound}  loss ${event.loss.toFixed(4)}`;
    }
    case 'measured':
      return `version ${event.version} on this member's held-out examples: ${metrics(event.current)}; on the earlier ones: loss ${event.earlier.loss.toFixed(4)}`;
    case 'unmeasured':
      return `version ${event.version} could not be measured here: ${event.code}: ${event.message}`;
    case 'compared': {
      const { loss } = event.forgotten;
      const words = loss > 0 ? 'worse: that much was forgotten' : 'better: nothing was forgotten';
      return `version ${event.version} against ${event.promoted} on this member's earlier examples: loss ${Math.abs(loss).toFixed(4)} ${words}`;
    }
    case 'submitted':
      return `round ${event.round}: submitted ${byteText(event.bytes)}${event.again ? ' (the same bytes as before)' : ''}`;
    case 'answered':
      return undefined;
    case 'satOut':
      return `round ${event.round}: sat out: ${event.code}: ${event.message}`;
    case 'aggregate':
      return `round ${event.round}: version ${event.version} from ${event.participants.length} members${event.own ? '' : ', without this one'}`;
    case 'promoted': {
      const where = event.adapterDir === undefined ? '' : `; it is in ${event.adapterDir}`;
      return `version ${event.version} is promoted${event.cohort === undefined ? '' : ` (cohort: ${metrics(event.cohort)})`}${where}`;
    }
    case 'rejected': {
      const numbers =
        event.cohort === undefined || event.promoted === undefined
          ? ''
          : ` (cohort: ${metrics(event.cohort)}; promoted one: ${metrics(event.promoted)})`;
      return `version ${event.version} is rejected${numbers}`;
    }
    case 'rolledBack':
      return `back to version ${event.version} from ${event.from}${event.adapterDir === undefined ? '' : `; it is in ${event.adapterDir}`}`;
    case 'data':
      return dataLine(event);
    case 'portOpen':
      return `examples are taken at ${event.url}/v1/examples with the token in ${event.tokenFile}`;
    case 'portFailed':
      return `a request to the local port failed: ${event.code}: ${event.message}`;
    case 'finished':
      return `the federation is finished${event.reason === '' ? '' : `: ${event.reason}`}`;
  }
}

function dataLine(event: DataEvent): string {
  switch (event.kind) {
    case 'added':
      return `data: ${event.examples} more examples in ${event.file}`;
    case 'rejected':
      return `data: ${event.file}: ${event.lines} lines are no examples, the first is line ${event.line}; the reasons are in rejected.jsonl of the state directory`;
    case 'replaced':
      return `data: ${event.file} is another file now; read from its start`;
    case 'removed':
      return `data: ${event.file} is gone; its examples are not trained on any more`;
    case 'incomplete':
      return `data: ${event.file}: the last line has no end yet; it is read when it has one`;
    case 'unreadable':
      return `data: ${event.file} cannot be read now; what was read of it stays`;
    case 'full':
      return `data: ${event.examples} examples are kept, which is the most; the rest waits in its files: move old files away, or raise --max-examples`;
  }
}

function metrics({ loss, accuracy, exactMatch }: VersionMetrics): string {
  return `loss ${loss.toFixed(4)}  accuracy ${percent(accuracy)}  exact match ${percent(exactMatch)}`;
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
