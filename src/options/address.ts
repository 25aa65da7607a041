/** Addresses to listen on. */
import { z } from 'zod';

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:50051`, `[::1]:0`, `localhost:8080`. */
export const address = z.string().transform((text, context): Address => {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    context.addIssue({ code: 'custom', message: `expected HOST:PORT, such as 127.0.0.1:50051 or [::1]:0, got ${text}` });
    return z.NEVER;
  }
  return { host: match[1] ?? match[2]!, port };
});

/** `127.0.0.1:50051`, `[::1]:50051`. */
export const showAddress = ({ host, port }: Address): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** Whether a host is this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
