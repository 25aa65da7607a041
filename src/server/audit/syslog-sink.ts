/**
 * The audit log to a syslog collector, over TCP or a Unix stream socket.
 * @see RFC 5424 (the message), RFC 6587 sec. 3.4.1 (octet counting over a stream)
 */
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { CutlayerError } from '../../errors.js';
import type { AuditSink } from './audit-log.js';
import type { SyslogAddress } from './audit-target.js';
import { MAX_LINE_BYTES, type Sealed } from './chain.js';

/** Facility 13 is the audit log; severity 6 is informational. */
const PRIORITY = 13 * 8 + 6;
const CONNECT_MS = 5000;
const WRITE_MS = 5000;
/** Bytes that the collector has not taken; a write waits for it, so one group is the most. */
const MAX_UNSENT_BYTES = 512 * MAX_LINE_BYTES;

/** A message of RFC 5424 around an entry. @param time ISO 8601 */
export function syslogMessage(line: string, time: string, { host = hostname(), pid = process.pid } = {}): string {
  return `<${PRIORITY}>1 ${time} ${headerName(host)} cutlayer ${pid} audit - ${line}`;
}

/** Sends lines; each write resolves when the system has taken its bytes for the collector. */
export class SyslogSink implements AuditSink {
  readonly #address: SyslogAddress;
  readonly #now: () => number;
  #socket: Socket | undefined;

  /** @param now milliseconds since 1970 */
  constructor(address: SyslogAddress, now: () => number) {
    this.#address = address;
    this.#now = now;
  }

  async write(lines: readonly Sealed[]): Promise<void> {
    const time = new Date(this.#now()).toISOString();
    const frames = lines.map(({ line }) => {
      const message = syslogMessage(line, time);
      return `${Buffer.byteLength(message)} ${message}`;
    });
    const socket = await this.#open();
    if (socket.writableLength > MAX_UNSENT_BYTES) throw this.#failure('the collector does not read');
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string): void => {
        socket.destroy();
        reject(this.#failure(reason));
      };
      const timer = setTimeout(() => fail('the collector does not read'), WRITE_MS);
      socket.write(frames.join(''), (error) => {
        clearTimeout(timer);
        if (error) fail(error.message);
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.setTimeout(WRITE_MS, () => socket.destroy());
      socket.end();
    });
  }

  /** @throws CutlayerError IO_ERROR */
  async #open(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable) return this.#socket;
    this.#socket = await new Promise<Socket>((resolve, reject) => {
      const socket = connect({ ...this.#address, timeout: CONNECT_MS });
      const fail = (reason: string): void => {
        socket.destroy();
        reject(this.#failure(reason));
      };
      socket.once('timeout', () => fail('no connection in time'));
      socket.once('error', (error) => fail(error.message));
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.removeAllListeners('error').on('error', () => socket.destroy());
        // A collector that closes its side takes nothing more.
        socket.resume().on('end', () => socket.destroy());
        resolve(socket);
      });
    });
    return this.#socket;
  }

  #failure(reason: string): CutlayerError {
    const where = 'path' in this.#address ? this.#address.path : `${this.#address.host}:${this.#address.port}`;
    return new CutlayerError('IO_ERROR', `syslog ${where}: ${reason}; is a collector there?`);
  }
}

/** A name of a header: visible ASCII, at most 255 of it; `-` for none. */
function headerName(host: string): string {
  return host.replace(/[^\x21-\x7e]/g, '').slice(0, 255) || '-';
}
