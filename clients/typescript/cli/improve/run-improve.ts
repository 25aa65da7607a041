/** The work of `cutlayer client improve`. */
import { setTimeout } from 'node:timers/promises';
import { exposureNote } from '../../../../src/artifacts/exposure.js';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { DataFiles } from '../../improvement/data-files.js';
import { type Improvement, rollBack } from '../../improvement/improvement.js';
import { type ExamplesServer, serveExamples } from '../../intake/examples-server.js';
import { withSecretIn } from '../open-defences.js';
import { withSession } from '../session.js';
import { improvementLine } from './improve-lines.js';
import type { ImproveFlags } from './improve-options.js';
import { openImprovement, trainFlagsOf } from './open-improvement.js';

/** @throws CutlayerError as `Improvement.open`; with `--once` also what a run throws */
export async function runImprove(flags: ImproveFlags): Promise<void> {
  const { dir, rollback, json } = flags;
  const tell = (event: object, line: string) => (json ? stdout.json(event) : stderr.line(line));
  if (rollback !== undefined) {
    const before = await rollBack(dir, rollback, Date.now);
    tell({ type: 'rolledBack', version: rollback, from: before }, `promoted: version ${rollback} (before: version ${before})`);
    return;
  }
  const training = withSecretIn(dir, trainFlagsOf(flags));
  await withSession(training, async (session, signal, progress) => {
    const exposed = exposureNote(session.bundle.manifest.cut.bottom);
    if (exposed !== undefined) stderr.line(exposed);
    const improvement = await openImprovement(flags, session, signal, {
      onTrain: progress.onEvent,
      onEvent: (event) => tell(event, improvementLine(event)),
    });
    let server: ExamplesServer | undefined;
    try {
      if (flags.examplesPort !== undefined) {
        server = await serveExamples({
          sink: improvement,
          stateDir: dir,
          port: flags.examplesPort,
          status: () => ({ promoted: improvement.promoted }),
          onFailure: ({ code, message }) => tell({ type: 'portFailed', code, message }, `${code}: ${message}`),
        });
        const { url, tokenFile } = server;
        tell({ type: 'portOpen', url, tokenFile }, `examples: POST ${url}/v1/examples, POST ${url}/v1/feedback; token in ${tokenFile}`);
      }
      await cycle(flags, improvement, signal, tell);
    } finally {
      progress.stop();
      await server?.close();
      await improvement.close();
    }
  });
}

/** Looks at the data, runs what is due, waits, and again; `--once` waits for nothing. */
async function cycle(
  flags: ImproveFlags,
  improvement: Improvement,
  signal: AbortSignal,
  tell: (event: object, line: string) => void,
): Promise<void> {
  const sources = [
    improvement.inbox,
    ...(flags.heldOut === undefined ? [] : [new DataFiles(flags.heldOut, 'heldOut', '--held-out')]),
    ...(flags.data === undefined ? [] : [new DataFiles(flags.data, 'data', '--data')]),
  ];
  while (!signal.aborted) {
    try {
      for (const source of sources) {
        const { accepted, rejected, firstProblem } = await source.take(improvement.intake, signal);
        if (accepted > 0) tell({ type: 'taken', accepted }, `examples: ${accepted} are new`);
        if (rejected > 0)
          tell({ type: 'rejected', lines: rejected }, `warning: ${rejected} lines are no examples; the first: ${firstProblem}`);
      }
      const reason = improvement.due;
      if (reason !== undefined) await improvement.run(signal);
      else if (flags.once) tell({ type: 'nothing', ...improvement.counts }, `nothing to do: ${improvement.counts.fresh} new examples`);
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (signal.aborted) break;
      if (flags.once || error.code === 'INTERNAL') throw error;
      tell({ type: 'failed', code: error.code, message: error.message }, `${error.code}: ${error.message}; goes on with the next look`);
    }
    if (flags.once) return;
    await setTimeout(flags.poll * 1000, undefined, { signal }).catch(() => undefined);
  }
  process.exitCode = 130;
}
