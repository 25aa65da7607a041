/** The parts of an audit that are finished, in its directory: an interrupted audit goes on. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../errors.js';
import { writeFileAtomic } from './atomic-file.js';
import { parseJson } from './json-text.js';

/** Results by name, for one question. */
export class FinishedParts {
  readonly dir: string;
  readonly #question: string;
  readonly #parts: Record<string, unknown>;

  private constructor(dir: string, question: string, parts: Record<string, unknown>) {
    this.dir = dir;
    this.#question = question;
    this.#parts = parts;
  }

  /**
   * Opens a directory. @param question everything that the results follow from
   * @throws CutlayerError ALREADY_EXISTS when it holds the results of another question
   */
  static async open(dir: string, question: unknown): Promise<FinishedParts> {
    const asked = createHash('sha256').update(JSON.stringify(question)).digest('hex');
    const text = await readFile(fileIn(dir), 'utf8').catch(() => undefined);
    if (text === undefined) return new FinishedParts(dir, asked, {});
    const stored = parsed(text, dir);
    if (stored.question !== asked) {
      throw new CutlayerError(
        'ALREADY_EXISTS',
        `${dir}: it holds an audit with other options or data; delete the directory, or choose another --out`,
      );
    }
    return new FinishedParts(dir, asked, stored.parts);
  }

  /** A part's result: of an earlier run, or of `work`, which is then kept. @throws of `work` */
  async part<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    if (Object.hasOwn(this.#parts, name)) return this.#parts[name] as Result; // only this method writes it
    const result = await work();
    this.#parts[name] = result;
    await writeFileAtomic(fileIn(this.dir), `${JSON.stringify({ question: this.#question, parts: this.#parts })}\n`);
    return result;
  }
}

const fileIn = (dir: string): string => join(dir, 'state.json');

function parsed(text: string, dir: string): { readonly question: string; readonly parts: Record<string, unknown> } {
  try {
    const { question, parts } = parseJson(text) as { question?: unknown; parts?: unknown };
    if (typeof question === 'string' && typeof parts === 'object' && parts !== null)
      return { question, parts: parts as Record<string, unknown> };
  } catch {
    // Said below.
  }
  throw new CutlayerError('INVALID_CONFIG', `${fileIn(dir)}: expected the state of an audit; delete the directory to begin anew`);
}
