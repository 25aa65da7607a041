/** Where quotes come from: the kernel of a confidential machine, or a program. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { TSM } from './options.js';

/** Makes a quote over 64 bytes of report data. @throws CutlayerError ATTESTATION_UNAVAILABLE */
export type QuoteSource = (reportData: Buffer) => Promise<Buffer>;

/** The calls of `node:fs/promises` that the kernel's interface takes. */
export interface ReportFiles {
  mkdir(path: string): Promise<unknown>;
  writeFile(path: string, content: Buffer): Promise<void>;
  readFile(path: string): Promise<Buffer>;
  rmdir(path: string): Promise<void>;
}

const TSM_DIR = '/sys/kernel/config/tsm/report';
const PROGRAM_MS = 20_000;
/** A quote with its chain has some 5 KB; a token of several accelerators has more. */
const MOST_BYTES = 1 << 18;

/** @param source `tsm`, or the path of a program */
export function quoteSource(source: string): QuoteSource {
  return source === TSM ? tsmQuotes(TSM_DIR) : (reportData) => answerOf(source, reportData.toString('hex'));
}

/**
 * Quotes of the kernel. A report is a directory: report data goes into `inblob`, and `outblob` is
 * the quote.
 * @param dir The interface's directory
 * @param files What works on it
 * @see Linux Documentation/ABI/testing/configfs-tsm-report
 */
export function tsmQuotes(dir: string, files: ReportFiles = { mkdir, writeFile, readFile, rmdir }): QuoteSource {
  return async (reportData) => {
    const report = join(dir, `cutlayer-${randomBytes(8).toString('hex')}`);
    try {
      await files.mkdir(report);
      try {
        await files.writeFile(join(report, 'inblob'), reportData);
        return await files.readFile(join(report, 'outblob'));
      } finally {
        // The kernel removes what it put there.
        await files.rmdir(report);
      }
    } catch (cause) {
      throw unavailable(
        `${dir} gives no report (${reasonOf(cause)}); is this a confidential machine, and may this user write there?`,
        cause,
      );
    }
  };
}

/**
 * What a program writes for one line of input.
 * @throws CutlayerError ATTESTATION_UNAVAILABLE when it fails, writes nothing or too much
 */
export function answerOf(program: string, line: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { encoding: 'buffer', timeout: PROGRAM_MS, maxBuffer: MOST_BYTES } as const;
    const child = execFile(program, [], options, (error, stdout) => {
      if (error !== null) reject(unavailable(`its program gives no evidence (${reasonOf(error)}); ask the vendor`, error));
      else if (stdout.length === 0) reject(unavailable('its program gives no evidence: it wrote nothing; ask the vendor'));
      else resolve(stdout);
    });
    // A program that has ended already reads nothing; its own end tells why.
    child.stdin?.on('error', () => undefined).end(`${line}\n`);
  });
}

function unavailable(message: string, cause?: unknown): CutlayerError {
  return new CutlayerError('ATTESTATION_UNAVAILABLE', `attestation: ${message}`, cause === undefined ? {} : { cause });
}

function reasonOf(caught: unknown): string {
  const { code, signal } = caught as { readonly code?: unknown; readonly signal?: unknown }; // of files and processes
  return String(code ?? signal ?? 'it failed');
}
