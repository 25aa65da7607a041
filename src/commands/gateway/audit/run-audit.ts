/** The work of `cutlayer gateway audit verify` and `tail`. */
import { stderr, stdout } from '../../../files/output.js';
import type { ChainHead } from '../../../server/audit/chain.js';
import { type AuditEntry, readEntry } from '../../../server/audit/chain.js';
import { lastLines } from '../../../server/audit/last-lines.js';
import { defaultAuditDir } from '../../../server/audit/open-audit.js';
import { verifyAudit } from '../../../server/audit/verify-audit.js';

interface Place {
  readonly stateDir: string;
  readonly json: boolean;
}

/** @throws CutlayerError AUDIT_BROKEN, NOT_FOUND, IO_ERROR */
export async function runAuditVerify(
  path: string | undefined,
  {
    stateDir,
    head: remembered,
    publicKey,
    json,
  }: Place & { readonly head?: ChainHead | undefined; readonly publicKey?: string | undefined },
): Promise<void> {
  const found = await verifyAudit(path ?? defaultAuditDir(stateDir), { remembered, publicKey });
  const { files, entries, first, head, signedUpTo, tornBytes } = found;
  if (json) {
    stdout.json({ ...found, signedUpTo: signedUpTo ?? null, publicKey: found.publicKey ?? null });
    return;
  }
  stdout.line(
    `ok: entries ${first} to ${head.sequence} (${entries} in ${files} ${files === 1 ? 'file' : 'files'}) are as they were written`,
  );
  if (signedUpTo !== undefined) stdout.line(`signed up to entry ${signedUpTo} by ${found.publicKey}`);
  stdout.line(`head: ${head.sequence}:${head.hash}`);
  if (first > 0) stderr.line(`note: entries before ${first} are in earlier files, which are not here`);
  if (tornBytes > 0) stderr.line(`note: ${tornBytes} bytes after the last entry are no whole line: a process was killed, or is writing`);
}

/** @throws CutlayerError AUDIT_BROKEN, NOT_FOUND, IO_ERROR */
export async function runAuditTail(path: string | undefined, { stateDir, json, lines }: Place & { readonly lines: number }): Promise<void> {
  const place = path ?? defaultAuditDir(stateDir);
  for (const line of await lastLines(place, lines)) stdout.line(json ? line : shown(readEntry(line, place)));
}

/** `12 2026-11-30T01:02:03.004Z call tenant=acme method=Forward …`. */
function shown({ sequence, time, event, hash: _, previous: __, ...fields }: AuditEntry): string {
  const words = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' && /\s/.test(value) ? JSON.stringify(value) : value}`,
  );
  return [sequence, time, event, ...words].join(' ');
}
