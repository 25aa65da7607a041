/** Command-line options that say which bundle, which gateway and how to get in. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type WireDType, wireDTypeNames } from '../../../src/wire/wire-dtype.js';

/** Parsed connection options. */
export interface ConnectionFlags {
  readonly bundle: string;
  readonly gateway: string;
  readonly ca?: string;
  readonly tokenFile?: string;
  readonly insecure?: boolean;
  readonly wireDtype: WireDType;
  readonly deadline: number;
  readonly retryFor: number;
  readonly threads?: number;
  readonly verify: boolean;
}

/** Adds the options to a command. */
export function withConnectionOptions(command: Command): Command {
  return command
    .requiredOption('--bundle <dir>', 'client bundle that the vendor gave you (cutlayer pack writes it)')
    .requiredOption('--gateway <host:port>', "the vendor's gateway")
    .option('--ca <file>', "PEM file of the authority behind the gateway's certificate (default: the system's)")
    .option('--token-file <file>', 'file with your access token (default: the environment variable CUTLAYER_TOKEN)')
    .option('--insecure', 'plain text instead of TLS; only for a gateway on this machine')
    .addOption(new Option('--wire-dtype <type>', 'element type on the wire').choices([...wireDTypeNames]).default('f32'))
    .option('--deadline <seconds>', 'deadline of each call', positiveNumber, 120)
    .option('--retry-for <seconds>', 'how long to wait for a gateway that has gone away', positiveNumber, 300)
    .option('--threads <n>', "threads for the client's own graphs (default: all cores)", positiveInteger)
    .option('--no-verify', "skip the digest of the bundle's weights file");
}

/** Parses an option's number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

/** Parses an option's number of at least 0. */
export function nonNegativeNumber(text: string): number {
  return Number(text) === 0 ? 0 : positiveNumber(text);
}

/** Parses an option's whole number of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number of at least 1');
  return value;
}

/** Parses an option's whole number of at least 0. */
export function nonNegativeInteger(text: string): number {
  return Number(text) === 0 ? 0 : positiveInteger(text);
}
