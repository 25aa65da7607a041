/** An audit log over a directory, or over memory that may refuse. */

import { CutlayerError } from '../../src/errors.js';
import { identityFromSeed } from '../../src/protocol/secagg/signature.js';
import { AuditLog, type AuditSink } from '../../src/server/audit/audit-log.js';
import { beforeFirst, type ChainHead, type Sealed } from '../../src/server/audit/chain.js';
import { keyText } from '../../src/server/audit/checkpoint.js';
import { FileSink } from '../../src/server/audit/file-sink.js';

/** The key of all test logs. */
export const auditKey = identityFromSeed(Buffer.alloc(32, 7));

/** A sink in memory. */
export class MemorySink implements AuditSink {
  readonly lines: string[] = [];
  /** Lines of each write. */
  readonly groups: number[] = [];
  full = false;
  closed = false;

  async write(lines: readonly Sealed[]): Promise<void> {
    if (this.full) throw new CutlayerError('IO_ERROR', 'memory: the disk is full');
    this.groups.push(lines.length);
    this.lines.push(...lines.map(({ line }) => line));
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** The entries, parsed. */
  get entries(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line));
  }
}

/** A log over a sink; what it says to its operator is kept. */
export function auditLogOver(sink: AuditSink, { head = beforeFirst, now = () => 0 }: { head?: ChainHead; now?: () => number } = {}) {
  const said: string[] = [];
  const say = (_: unknown, text: string): void => void said.push(text);
  const log = { error: say, info: say } as unknown as ConstructorParameters<typeof AuditLog>[0]['log']; // the log uses no other form
  return { log: new AuditLog({ sink, head, signer: auditKey, log, now }), said };
}

/** Writes a log with `count` calls; files are small, so that there are several. */
export async function writeAudit(dir: string, count: number, maxBytes = 4096): Promise<ChainHead> {
  const { sink, head } = await FileSink.open(dir, { maxBytes });
  const { log } = auditLogOver(sink, { head });
  if (head.sequence < 0) await log.record('chain', { chain: 'test', publicKey: keyText(auditKey) });
  for (let n = 0; n < count; n++) await log.record('call', { tenant: 'acme', method: 'Forward', code: 'OK', rows: n });
  await log.close();
  return log.head;
}
