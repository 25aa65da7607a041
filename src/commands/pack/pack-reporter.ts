/** Shows how far packing is: a bar with its ETA on a terminal, a line every tenth elsewhere. */
import type { PackProgress } from '../../compiler/pack/bundle-writer.js';
import { Output, plainLine, terminal } from '../../files/output.js';
import { progressBar } from '../../files/progress-bar.js';

/** A running display. */
export interface PackReporter {
  readonly progress: (progress: PackProgress) => void;
  /** Ends the display; may be called twice. */
  readonly stop: () => void;
}

/** Megabytes, with decimals only where they say something. */
const megabytes = (bytes: number): number => (bytes < 1e7 ? Math.round(bytes / 1e4) / 100 : Math.round(bytes / 1e6));

/** A display on a stream, normally stderr. */
export function packReporter(stream: NodeJS.WriteStream = terminal()): PackReporter {
  return stream.isTTY ? barReporter(stream) : lineReporter(new Output(() => stream));
}

function barReporter(stream: NodeJS.WriteStream): PackReporter {
  const bar = progressBar(stream, { format: 'packing {bar} {percentage} % | {value}/{total} MB | {eta_formatted} left | {weight}' });
  let started = false;
  return {
    progress({ done, total, weight }) {
      if (!started) bar.start(megabytes(total), 0, { weight: plainLine(weight) });
      started = true;
      bar.update(megabytes(done), { weight: plainLine(weight) });
    },
    stop() {
      if (started) bar.stop();
      started = false;
    },
  };
}

function lineReporter(out: Output): PackReporter {
  let tenth = 0;
  return {
    progress({ done, total }) {
      const now = Math.floor((10 * done) / total);
      if (now <= tenth) return;
      tenth = now;
      out.line(`packing: ${10 * now} %, ${megabytes(done)} of ${megabytes(total)} MB`);
    },
    stop() {},
  };
}
