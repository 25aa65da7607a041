/** Says how far long work is: a line that changes on a terminal, some lines elsewhere. */
import { type Output, stderr } from './output.js';

/** Without a terminal: a line for about every tenth part. */
const PLAIN_LINES = 10;

/** One piece of work at a time. */
export class WorkProgress {
  readonly #out: Output;
  readonly #now: () => number;
  #began: { readonly at: number; readonly done: number } | undefined;
  #said = 0;

  /** @param now milliseconds, of any beginning */
  constructor(out: Output = stderr, now: () => number = () => performance.now()) {
    this.#out = out;
    this.#now = now;
  }

  /** Begins a piece of work. @param done of it that was done before */
  begin(done: number): void {
    this.#began = { at: this.#now(), done };
    this.#said = 0;
  }

  /** @param detail beside the count, such as a loss */
  at(what: string, done: number, total: number, detail = ''): void {
    const line = `${what} ${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}${detail}${this.#left(done, total)}`;
    this.#out.status(line);
    const part = Math.floor((done / total) * PLAIN_LINES);
    if (this.#out.isTTY || part === this.#said) return;
    this.#said = part;
    this.#out.line(line);
  }

  /** Takes the line off. */
  end(): void {
    this.#out.clearStatus();
  }

  #left(done: number, total: number): string {
    if (this.#began === undefined || done <= this.#began.done || done >= total) return '';
    const seconds = Math.round(((this.#now() - this.#began.at) / 1000) * ((total - done) / (done - this.#began.done)));
    return seconds < 60 ? `, ETA ${seconds} s` : `, ETA ${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
}
