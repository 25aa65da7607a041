/** Begins an improvement anew for another model, from the examples of the old one. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { createFileAtomic } from '../../../../src/files/atomic-file.js';
import { stderr } from '../../../../src/files/output.js';
import { readSidecar } from '../../adapters/sidecar.js';
import { EXAMPLES_FILE } from '../../improvement/example-log.js';
import { copyInbox } from '../../improvement/inbox.js';
import { readJournal } from '../../improvement/journal.js';
import { ENCRYPTION_FILE } from '../../improvement/vault.js';
import { PROMOTED_LINK } from '../../improvement/version-store.js';
import { improvementLine } from '../improve/improve-lines.js';
import { type ImproveFlags, improveOptions } from '../improve/improve-options.js';
import { openImprovement } from '../improve/open-improvement.js';
import { openDefences, withSecretIn } from '../open-defences.js';
import type { ProgressReporter } from '../progress.js';
import type { Session } from '../session.js';
import type { MigrateFlags } from './migrate-options.js';
import { type MigrationReport, sameTokenizer } from './migration-report.js';
import { recordedSettings } from './recipe.js';

/** @returns undefined when it was cancelled. @throws CutlayerError naming what cannot be done */
export async function migrateImprovement(
  flags: MigrateFlags,
  session: Session,
  signal: AbortSignal,
  progress: ProgressReporter,
): Promise<MigrationReport | undefined> {
  const { run, out, encryptKeyFile, passphraseFile } = flags;
  if (flags.validation !== undefined)
    throw new CutlayerError('INVALID_OPTION', `--validation: --run ${run} has held-out examples of its own; leave it out`);
  const { settings, beganFrom } = await recordedSettings(flags, improveOptions, { dir: out });
  const secret = { ...(encryptKeyFile !== undefined && { encryptKeyFile }), ...(passphraseFile !== undefined && { passphraseFile }) };
  const before = await promotedBefore(run);
  await copyExamples(run, out);
  const improving: ImproveFlags = { ...settings, ...secret };
  const defended = { ...session, defences: await openDefences(withSecretIn(out, improving), session.bundle) };
  const improvement = await openImprovement(improving, defended, signal, {
    onTrain: progress.onEvent,
    onEvent: (event) => stderr.line(improvementLine(event)),
  });
  try {
    const decision = improvement.promoted > 0 ? undefined : await improvement.run(signal);
    progress.stop();
    if (signal.aborted) return undefined;
    const old = await readSidecar(join(run, PROMOTED_LINK)).catch(() => undefined);
    const { backboneDigest, tokenizerDigest } = session.bundle.identity;
    return {
      old: { backboneDigest: before.backboneDigest, score: before.score },
      // The examples that the old score is of: later ones would make the two differ.
      new: { backboneDigest, score: await improvement.score(before.upTo, signal) },
      sameTokenizer: sameTokenizer(old, tokenizerDigest),
      adapter: join(out, PROMOTED_LINK),
      notes: [
        ...(beganFrom === undefined ? [] : [`the old improvement began from ${beganFrom}, which the new model cannot use`]),
        ...(decision?.promote === false
          ? [`the new adapter was not promoted: ${decision.reasons.join('; ')}; the new score is that of version 0`]
          : []),
        ...(before.score === null ? ['the old score is not known: no version had been promoted on held-out examples'] : []),
      ],
    };
  } finally {
    await improvement.close();
  }
}

/** The score of the promoted version when it was promoted, and the examples that it is of. */
async function promotedBefore(run: string) {
  const events = await readJournal(run);
  const [first] = events;
  const version = events.findLast((event) => event.kind === 'promote' || event.kind === 'rollback')?.version ?? 0;
  const verdict = events.findLast((event) => event.kind === 'promote' && event.version === version);
  const made = events.find((event) => event.kind === 'aggregate' && event.version === version);
  return {
    backboneDigest: first?.kind === 'begin' ? first.backboneDigest : null,
    score: verdict?.kind === 'promote' ? (verdict.candidate?.current ?? null) : null,
    upTo: made?.kind === 'aggregate' ? made.upTo : Number.MAX_SAFE_INTEGER,
  };
}

/** Copies the stored examples once; a second call finds them. The key's description comes first. */
async function copyExamples(run: string, out: string): Promise<void> {
  await mkdir(out, { recursive: true, mode: 0o700 });
  // What is taken from the inbox after this is among the examples.
  await copyInbox(run, out);
  for (const name of [ENCRYPTION_FILE, EXAMPLES_FILE]) {
    const bytes = await readFile(join(run, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new CutlayerError('IO_ERROR', `${join(run, name)}: cannot be read (${error.code ?? 'it failed'})`, { cause: error });
    });
    if (bytes !== undefined) await createFileAtomic(join(out, name), bytes);
  }
}
