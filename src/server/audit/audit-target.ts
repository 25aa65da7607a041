/** Where the audit log goes, as an option says it. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type OptionRow, optional, parsed } from '../../options/option.js';

/** Where a collector listens: a Unix stream socket, or TCP. */
export type SyslogAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** A directory, a collector, or nowhere. */
export type AuditTarget =
  | { readonly kind: 'none' }
  | { readonly kind: 'directory'; readonly dir: string }
  | { readonly kind: 'syslog'; readonly address: SyslogAddress };

/** The option. */
export const auditOption: OptionRow<AuditTarget | undefined, string> = optional(
  parsed(
    'where',
    'where every call has an entry, or is refused: a directory, syslog:///socket, syslog://host:port, or none (default: audit/ in the state directory)',
    'expected a directory, syslog:///path/of/socket, syslog://host:port or none',
    targetOf,
  ),
);

/** The target of a text; undefined for one of another form. */
export function targetOf(given: unknown): AuditTarget | undefined {
  if (typeof given !== 'string' || given === '') return undefined;
  if (given === 'none') return { kind: 'none' };
  if (/^[a-z]+:\/\//.test(given)) {
    const address = syslogAddress(given);
    return address && { kind: 'syslog', address };
  }
  return { kind: 'directory', dir: given.startsWith('~/') ? join(homedir(), given.slice(2)) : given };
}

function syslogAddress(given: string): SyslogAddress | undefined {
  const socket = /^syslog:\/\/(\/[^\0]+)$/.exec(given)?.[1];
  if (socket !== undefined) return { path: socket };
  const match = /^syslog:\/\/(?:\[([0-9a-fA-F:]+)\]|([^/:[\]@?#]+)):(\d{1,5})$/.exec(given);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) return undefined;
  return { host: match[1] ?? match[2]!, port };
}
