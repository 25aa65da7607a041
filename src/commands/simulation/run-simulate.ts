/** Runs `cutlayer coordinator simulate`: flags to settings, progress, tables, files. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { interruptible } from '../../../clients/typescript/cli/progress.js';
import { terminalShowsUnicode } from '../../../clients/typescript/cli/sparkline.js';
import { CutlayerError } from '../../errors.js';
import { writeFileAtomic } from '../../files/atomic-file.js';
import { JsonLines } from '../../files/json-lines.js';
import { stderr, stdout } from '../../files/output.js';
import { readSettings } from '../coordinator/settings-input.js';
import type { LabelRule } from './labelled-data.js';
import { simulate } from './simulate.js';
import type { SimulateFlags } from './simulate-options.js';
import { renderSimulation } from './simulation-report.js';
import { pointLine, summaryLines } from './simulation-text.js';

const DEFAULT_ROUNDS = 5;

/** The founder's settings of the flags. `--set` comes last and wins. */
export function settingsOf(flags: SimulateFlags): readonly string[] {
  const { config, rounds, steps, strategy, secureAggregation, noiseMultiplier, clipNorm, delta, maxEpsilon, set } = flags;
  const named = config === undefined ? ['name=simulation', 'evaluation=null'] : [];
  // Cutoffs use simulated time, where waiting costs nothing. But a participant also gives up after
  // as long in real time.
  const times = ['rounds.trainSeconds=86400', 'rounds.stageSeconds=3600'];
  const count = rounds ?? (config === undefined ? DEFAULT_ROUNDS : undefined);
  const privacy = { noiseMultiplier, clip: { kind: 'fixed', norm: clipNorm }, delta, maxEpsilon };
  return [
    ...named,
    ...times,
    ...(count === undefined ? [] : [`rounds.count=${count}`]),
    ...(steps === undefined ? [] : [`training.steps=${steps}`]),
    ...(strategy === undefined ? [] : [`strategy={kind: ${strategy}}`]),
    ...(secureAggregation ? [] : ['secureAggregation=null']),
    ...(noiseMultiplier === undefined ? [] : [`privacy=${JSON.stringify(privacy)}`]),
    ...set,
  ];
}

/** @throws CutlayerError */
export async function runSimulate(flags: SimulateFlags): Promise<void> {
  const { out, split, alpha, json } = flags;
  const given = await readSettings({ file: flags.config, single: settingsOf(flags) });
  const total = given.settings.rounds.count;
  if (total === null) throw new CutlayerError('INVALID_OPTION', 'rounds.count: a simulation has to end; pass --rounds');
  await mkdir(out, { recursive: true });
  const curvesFile = join(out, 'curves.jsonl');
  await rm(curvesFile, { force: true });
  const curves = await JsonLines.open(curvesFile);
  try {
    await interruptible(async (signal) => {
      const began = performance.now();
      let written: Promise<unknown> = Promise.resolve();
      const summary = await simulate({
        ...flags,
        given,
        signal,
        split: split === 'iid' ? { kind: 'iid' } : { kind: 'dirichlet', alpha },
        label: split === 'iid' ? undefined : labelRule(flags),
        onPoint(point) {
          written = written.then(() => curves.append(point));
          if (json) stdout.json(point);
          else stderr.line(pointLine(point, { total, seconds: (performance.now() - began) / 1000 }));
        },
        onAborted({ round, purpose, reason }) {
          stderr.line(`round ${round} (${purpose}) was aborted: ${reason}`);
        },
        onSubmitted(round, submitted, participants) {
          stderr.status(`round ${round}: ${submitted} of ${participants} have submitted`);
        },
      });
      await written;
      await writeFileAtomic(join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
      await writeFileAtomic(join(out, 'report.html'), renderSimulation(summary));
      if (!json)
        for (const line of [...summaryLines(summary, { unicode: terminalShowsUnicode() }), `report: ${join(out, 'report.html')}`])
          stdout.line(line);
      if (summary.released < total)
        throw new CutlayerError('ROUND_CLOSED', `the simulation ended with ${summary.released} of ${total} versions: ${summary.stopped}`);
    });
  } finally {
    await curves.close();
  }
}

function labelRule({ labelField: field, labelPattern }: SimulateFlags): LabelRule {
  if (labelPattern === undefined) return { field };
  try {
    return { field, pattern: new RegExp(labelPattern, 'u') };
  } catch (cause) {
    throw new CutlayerError('INVALID_OPTION', `--label-pattern ${labelPattern}: not a regular expression`, { cause });
  }
}
