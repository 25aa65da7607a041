/** A progress bar leaves what was printed above it. */
import assert from 'node:assert/strict';
import { WriteStream } from 'node:tty';
import { progressBar } from '../../src/files/progress-bar.js';

/** A terminal of a few lines that knows what the bar's sequences do. */
class Screen {
  readonly lines: string[] = [''];
  row = 0;
  column = 0;
  #saved: readonly [number, number] = [0, 0];

  write(text: string): boolean {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: sequences of a terminal are what is read
    for (const [token] of text.matchAll(/\x1B[78]|\x1B\[[?\d;]*[A-Za-z]|[\s\S]/g)) this.#take(token);
    return true;
  }

  #take(token: string): void {
    const line = this.lines[this.row] ?? '';
    if (token === '\x1B7') this.#saved = [this.row, this.column];
    else if (token === '\x1B8') [this.row, this.column] = this.#saved;
    else if (/\[1G$/.test(token) || token === '\r') this.column = 0;
    else if (/\[2K$/.test(token)) this.lines[this.row] = '';
    else if (/\[0K$/.test(token)) this.lines[this.row] = line.slice(0, this.column);
    else if (token === '\n') {
      this.row += 1;
      this.column = 0;
      this.lines[this.row] ??= '';
    } else if (!token.startsWith('\x1B')) {
      this.lines[this.row] = line.slice(0, this.column).padEnd(this.column) + token + line.slice(this.column + 1);
      this.column += 1;
    }
  }
}

describe('a progress bar', () => {
  it('is cleared where it stands, under the lines that were printed meanwhile', () => {
    const screen = new Screen();
    const stream = Object.create(WriteStream.prototype, {
      write: { value: (text: string) => screen.write(text) },
      isTTY: { value: true },
      columns: { value: 80 },
    }) as WriteStream;
    const bar = progressBar(stream, { format: '{value} of {total}', fps: 1000 });
    screen.write('before\n');
    bar.start(10, 0);
    for (const line of ['first', 'second', 'third']) {
      screen.write(`\r\x1B[2K${line}\n`);
      bar.update(5);
    }
    bar.stop();
    screen.write('the end\n');
    assert.deepEqual(screen.lines, ['before', 'first', 'second', 'third', 'the end', '']);
  });
});
