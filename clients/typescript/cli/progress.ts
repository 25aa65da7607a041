/** What a person sees of a run: a live bar on a terminal, plain lines elsewhere; and ctrl-C. */

import { byteText } from '../../../src/files/byte-text.js';
import { Output, stderr, terminal } from '../../../src/files/output.js';
import { progressBar } from '../../../src/files/progress-bar.js';
import type { RetryNotice } from '../connection/retry.js';
import type { TrainEvent } from '../training/train-options.js';
import { percent } from './text-layout.js';

/** Reports a run to standard error, so that standard output stays free. */
export interface ProgressReporter {
  readonly onEvent: (event: TrainEvent) => void;
  readonly onRetry: (notice: RetryNotice) => void;
  /** Takes the bar down. May be called twice. */
  stop(): void;
}

/** Without a terminal: a line for about every twentieth part of the run. */
const PLAIN_LINES = 20;
/** Waiting calls are reported once per this time, not once per repetition. */
const RETRY_NOTICE_MS = 10_000;

type StepEvent = Extract<TrainEvent, { readonly type: 'step' }>;

/** Makes a reporter for standard error. */
export function progressReporter(stream: NodeJS.WriteStream = terminal()): ProgressReporter {
  const out = new Output(() => stream);
  const bar = stream.isTTY ? progressBar(stream, { format: FORMAT, etaBuffer: 20 }) : undefined;
  let started = false;
  let lastRetry = Number.NEGATIVE_INFINITY;
  const clock = stepClock();
  const say = (line: string) => {
    // The bar's line is cleared first and drawn again with the next step.
    if (bar?.isActive) out.clearStatus();
    out.line(line);
  };
  return {
    onEvent(event) {
      switch (event.type) {
        case 'broken-checkpoint':
          say(`warning: cannot resume from ${event.dir}: ${event.reason}; going back to ${event.instead}`);
          return;
        case 'start':
          if (event.step > 0) say(`resuming after step ${event.step}`);
          bar?.start(event.totalSteps, event.step, EMPTY);
          started = true;
          return;
        case 'step': {
          const eta = clock(event);
          if (bar !== undefined) bar.update(event.step, payload(event, eta));
          else if (event.step % Math.max(1, Math.round(event.totalSteps / PLAIN_LINES)) === 0 || event.step === event.totalSteps) {
            const { loss, speed, bytes } = payload(event, eta);
            say(`step ${event.step}/${event.totalSteps}  loss ${loss}  ${speed} tokens/s  ${bytes}/step  ETA ${eta}`);
          }
          return;
        }
        case 'validation': {
          const { loss, accuracy, exactMatch } = event.evaluation;
          const best = event.best ? '  (best)' : '';
          say(
            `validation after step ${event.step}: loss ${loss.toFixed(4)}  accuracy ${percent(accuracy)}  exact match ${percent(exactMatch)}${best}`,
          );
          return;
        }
        case 'checkpoint':
          return;
      }
    },
    onRetry({ error, delayMs }) {
      if (performance.now() - lastRetry < RETRY_NOTICE_MS) return;
      lastRetry = performance.now();
      say(`${error.code}: ${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
    },
    stop() {
      if (started) bar?.stop();
      started = false;
    },
  };
}

/**
 * Runs a job that ctrl-C ends in good order: the first signal aborts `signal`, a second one ends
 * the process at once. SIGTERM does the same as ctrl-C.
 */
export async function interruptible(job: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    stderr.text('\nstopping; press ctrl-C again to stop at once\n');
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    await job(controller.signal);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

const FORMAT = '{bar} {value}/{total}  loss {loss}  {speed} tokens/s  {bytes}/step  ETA {remaining}';
const EMPTY = { loss: '-', speed: '-', bytes: '-', remaining: '-' };

function payload(event: StepEvent, remaining: string) {
  const speed = event.tokensPerSecond.toFixed(0);
  return { loss: event.loss.toFixed(4), speed, bytes: byteText(event.bytesUp + event.bytesDown), remaining };
}

/** Time left, from a running mean of the time between steps. */
function stepClock(): (event: StepEvent) => string {
  let last = performance.now();
  let mean: number | undefined;
  return ({ step, totalSteps }) => {
    const now = performance.now();
    mean = mean === undefined ? now - last : 0.9 * mean + 0.1 * (now - last);
    last = now;
    const seconds = Math.round((mean * (totalSteps - step)) / 1000);
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  };
}
