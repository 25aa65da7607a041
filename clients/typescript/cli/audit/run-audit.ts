/** The work of `cutlayer client audit`. */
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { lockRun } from '../../../../src/files/run-lock.js';
import { WorkProgress } from '../../../../src/files/work-progress.js';
import type { Adapter } from '../../adapters/adapter.js';
import { createAdapter } from '../../adapters/registry.js';
import { type AuditReport, audit } from '../../audit/audit.js';
import { offlineConnection } from '../../audit/offline-connection.js';
import type { Connection } from '../../connection/connect.js';
import { checkAdapter } from '../../connection/served-model.js';
import { loadExamples } from '../../data/examples.js';
import type { Defences } from '../../defences/defences.js';
import { batchLimits } from '../../inference/batch-limits.js';
import { ClientBundle } from '../../model/client-bundle.js';
import { exampleOptions } from '../example-options.js';
import { openAdapted } from '../open-adapted.js';
import { openDefences, twinDefences } from '../open-defences.js';
import { homeDir } from '../profile/home-dir.js';
import { interruptible } from '../progress.js';
import { withSession } from '../session.js';
import type { AuditFlags } from './audit-options.js';
import { auditLines } from './audit-text.js';
import { keepAudit } from './last-audit.js';

/** Records that an attacker learns from, of those that are not audited. */
const OTHERS = 512;
/** Records that have not trained the adapter: two of them are one in a hundred. */
const NON_MEMBERS = 200;
/** Rows of the soft prompt that is made where no adapter is named. */
const VIRTUAL_TOKENS = 16;

/** Audits, prints and writes the report. @throws CutlayerError */
export async function runAudit(flags: AuditFlags): Promise<void> {
  const { gateway, offline, out } = flags;
  if (gateway === undefined && !offline)
    throw new CutlayerError('INVALID_OPTION', '--gateway is missing; pass it, or --offline for the attackers that need no answer');
  const lock = await lockRun(out, { flag: '--out', activity: 'auditing here' });
  try {
    if (offline) await offlineAudit(flags);
    else
      await withSession({ ...flags, gateway: gateway! }, async (session, signal) => report(flags, await auditWith(flags, session, signal)));
  } finally {
    await lock.release();
  }
}

async function offlineAudit(flags: AuditFlags): Promise<void> {
  const { verify, threads, signer, chatTemplate } = flags;
  await interruptible(async (signal) => {
    const bundle = await ClientBundle.open(flags.bundle, { verify, threads, signer, chatTemplate });
    try {
      const connection = offlineConnection(bundle, flags.wire);
      await report(flags, await auditWith(flags, { bundle, connection, defences: await openDefences(flags, bundle) }, signal));
    } finally {
      await bundle.close();
    }
  });
}

/** What is audited, and through which connection. */
export interface Audited {
  readonly bundle: ClientBundle;
  readonly connection: Connection;
  readonly defences: Defences;
}

/** Audits, or goes on with an audit. @param show As that of `audit` @throws CutlayerError */
export async function auditWith(
  flags: AuditFlags,
  { bundle, connection, defences }: Audited,
  signal: AbortSignal,
  show = false,
): Promise<AuditReport> {
  const { model, adapter: saved } = await openAdapted(flags.adapter, { bundle, connection, drafter: undefined, defences, labelled: true });
  const adapter = saved ?? (await freshPrompt(bundle, connection, flags.seed));
  checkAdapter(connection.card, adapter);
  const room = model.maxLength(adapter.numVirtualTokens);
  const reading = exampleOptions(flags, adapter, { room, ...batchLimits(model, adapter, { batchSize: 1 }) }, signal, defences);
  const read = await loadExamples(flags.data, bundle.tokenizer, reading);
  const others = flags.nonMembers === undefined ? [] : await loadExamples(flags.nonMembers, bundle.tokenizer, reading);
  const progress = new WorkProgress();
  let now = '';
  try {
    return await audit({
      ...{ bundle, connection, answered: !flags.offline, adapter, fresh: saved === undefined, signal },
      ...{ defences, twin: await twinDefences(flags, bundle) },
      ...{ examples: read.slice(0, flags.maxRecords), others: read.slice(flags.maxRecords, flags.maxRecords + OTHERS) },
      ...{ nonMembers: others.slice(0, NON_MEMBERS), planted: flags.planted, seed: flags.seed },
      ...{ only: flags.only, show, dir: flags.out },
      onProgress(what, done, total) {
        if (what !== now) progress.begin(done - 1);
        now = what;
        progress.at(what, done, total);
      },
    });
  } finally {
    progress.end();
  }
}

/** @throws CutlayerError ADAPTER_UNSUPPORTED by a backbone that takes no soft prompt */
function freshPrompt(bundle: ClientBundle, { card }: Connection, seed: number): Promise<Adapter> {
  const virtualTokens = Math.max(1, Math.min(VIRTUAL_TOKENS, card.limits.maxVirtualTokens, Math.floor(card.dims.maxPositions / 4)));
  const keyValues = () => Promise.reject(new CutlayerError('INTERNAL', 'audit: a soft prompt begins from no keys and values'));
  return createAdapter({ bundle, keyValues }, 'prompt-tuning', { virtualTokens, seed });
}

async function report(flags: AuditFlags, found: AuditReport): Promise<void> {
  const lines = auditLines(found);
  await writeFileAtomic(join(flags.out, 'report.json'), `${JSON.stringify(found, null, 2)}\n`);
  await writeFileAtomic(join(flags.out, 'report.txt'), `${lines.join('\n')}\n`);
  await keepAudit(found, Date.now()).catch(() =>
    stderr.line(`warning: later runs cannot state this audit: ${homeDir()} cannot be written`),
  );
  if (flags.json) stdout.json(found);
  else for (const line of lines) stdout.line(line);
  stderr.line(`report: ${join(flags.out, 'report.txt')} and report.json`);
}
