/** Options of addresses: where a server listens, and names by which clients reach it. */
import { isIP } from 'node:net';
import { type OptionRow, parsed, parsedList } from './option.js';

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:50051`, `[::1]:0`, `localhost:8080`. */
export function address(description: string): OptionRow<Address, string> {
  return parsed('host:port', description, 'expected HOST:PORT, such as 127.0.0.1:50051 or [::1]:0', (given) => {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(String(given));
    const port = Number(match?.[3]);
    return match === null || port > 65535 ? undefined : { host: match[1] ?? match[2]!, port };
  });
}

/** `gateway,10.0.0.7`: host names and addresses. */
export function hostNames(description: string): OptionRow<readonly string[]> {
  const right = (name: string) => isIP(name) !== 0 || /^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(name);
  const read = (given: unknown) => (typeof given === 'string' && right(given) ? given : undefined);
  const row = parsedList('list', description, 'expected host names or addresses', read);
  return { ...row, fromText: (items) => items.split(',').filter((item) => item !== '') };
}

/** An http or https address. */
export function webAddress(description: string): OptionRow<string> {
  return parsed('url', description, 'expected an http or https address', (given) => {
    const url = typeof given === 'string' ? given.trim() : '';
    return /^https?:\/\//i.test(url) && URL.canParse(url) ? url : undefined;
  });
}

/** `127.0.0.1:50051`, `[::1]:50051`. */
export const showAddress = ({ host, port }: Address): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
