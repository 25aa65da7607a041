/** The work of `cutlayer client privacy`. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { interruptible } from '../../../clients/typescript/cli/progress.js';
import { CutlayerError } from '../../errors.js';
import { writeFileAtomic } from '../../files/atomic-file.js';
import { FinishedParts } from '../../files/finished-parts.js';
import { stderr, stdout } from '../../files/output.js';
import { lockRun } from '../../files/run-lock.js';
import { defaultGrid } from './default-grid.js';
import { measureSetting } from './measure-setting.js';
import { type Model, modelPlaces, readModels } from './models.js';
import type { PrivacyTableFlags } from './privacy-options.js';
import { renderPrivacy } from './privacy-page.js';
import { type MeasuredSetting, type PrivacyReport, privacyReport } from './privacy-report.js';
import { rowName } from './privacy-row.js';
import { privacyLines } from './privacy-text.js';
import { parseSetting, type Setting, UNDEFENDED, withSetting } from './setting.js';

/** Measures, prints and writes the table. @throws CutlayerError */
export async function runPrivacy(flags: PrivacyTableFlags): Promise<void> {
  const places = modelPlaces(flags);
  const given = flags.setting.map(parseSetting);
  const lock = await lockRun(flags.out, { flag: '--out', activity: 'measuring here' });
  try {
    setLogVerbosity(logVerbosity.NONE);
    await interruptible(async (signal) => {
      const rows = plan(await readModels(places, flags), given);
      for (const { setting } of rows) withSetting(flags, setting);
      await report(flags, privacyReport(await measureAll(flags, rows, signal), flags.seed, flags.maxLossPoints));
    });
  } finally {
    await lock.release();
  }
}

/** A row that is to be measured. */
interface Planned {
  readonly model: Model;
  readonly setting: Setting;
}

/** At each cut the undefended row first, then the settings, each once. */
export function plan(models: readonly Model[], given: readonly Setting[]): readonly Planned[] {
  return models.flatMap((model) => {
    const { bottom } = model.cut;
    const settings =
      given.length === 0 ? defaultGrid(bottom).map(parseSetting) : given.filter(({ cuts }) => cuts?.includes(bottom) ?? true);
    const distinct = new Map([parseSetting(UNDEFENDED), ...settings].map((setting) => [setting.text, setting]));
    return [...distinct.values()].map((setting) => ({ model, setting }));
  });
}

async function measureAll(flags: PrivacyTableFlags, rows: readonly Planned[], signal: AbortSignal): Promise<readonly MeasuredSetting[]> {
  const state = await FinishedParts.open(flags.out, await questionOf(flags));
  // From here on the directory is this table's.
  await state.part('begun', async () => true);
  const results: MeasuredSetting[] = [];
  let seconds = 0;
  for (const [at, { model, setting }] of rows.entries()) {
    const left = at === 0 ? '' : `, about ${minutes((seconds / at) * (rows.length - at))} left`;
    stderr.line(`${at + 1} of ${rows.length}: ${rowName({ cut: model.cut, setting: setting.text })}${left}`);
    const measured = await measureSetting({ flags, model, setting, state, signal }).catch((caught: unknown) => {
      if (signal.aborted)
        throw new CutlayerError('CANCELLED', `privacy: stopped with ${at} of ${rows.length} settings measured; the same command goes on`, {
          cause: caught,
        });
      throw caught;
    });
    if (typeof measured !== 'string') seconds += measured.seconds;
    results.push({ model, setting, measured });
  }
  if (results.every(({ setting, measured }) => setting.text !== UNDEFENDED || typeof measured === 'string'))
    throw new CutlayerError('DIVERGED', 'privacy: without any defence training diverges too; try a lower --lr');
  return results;
}

const minutes = (seconds: number): string => (seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

/** Everything that rows follow from, but cuts and settings, of which there may be more later. */
async function questionOf(flags: PrivacyTableFlags): Promise<unknown> {
  const { packed: _, bundle: __, gateway: ___, tokenFile: ____, ...asked } = flags;
  const { setting, maxLossPoints, out, json, threads, ca, clientCert, clientKey, insecure, deadline, retryFor, ...settings } = asked;
  return { ...settings, data: await digestOf(flags.data), test: await digestOf(flags.test) };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash).catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('NOT_FOUND', `${file}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
  });
  return hash.digest('hex');
}

async function report(flags: PrivacyTableFlags, found: PrivacyReport): Promise<void> {
  const lines = privacyLines(found);
  await writeFileAtomic(join(flags.out, 'report.json'), `${JSON.stringify(found, null, 2)}\n`);
  await writeFileAtomic(join(flags.out, 'report.txt'), `${lines.join('\n')}\n`);
  await writeFileAtomic(join(flags.out, 'report.html'), renderPrivacy(found));
  if (flags.json) stdout.json(found);
  else for (const line of lines) stdout.line(line);
  stderr.line(`report: ${join(flags.out, 'report.html')}, report.txt and report.json`);
}
