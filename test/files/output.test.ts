import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { federateReporter } from '../../clients/typescript/cli/federate/federate-progress.js';
import { reportFailure } from '../../src/commands/failure.js';
import { CutlayerError } from '../../src/errors.js';
import { JsonLines } from '../../src/files/json-lines.js';
import { escapeControls, Output, plainJson, plainLine, plainText } from '../../src/files/output.js';
import { packageRoot } from '../../src/files/package-root.js';
import { createLogger } from '../../src/server/observability/log.js';

/** Colours, a title, a clipboard, C1 forms of the same, a reordered line, a line of its own. */
const HOSTILE = 'a\u001b[31mb\u001b]52;c;ZXZpbA==\u0007c\u009b2Jd\u0085e\u007ff\u202eg\u2066h\rhint: run this\nhint: or this';
const FORBIDDEN = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

function collected(): { readonly stream: PassThrough; text(): string } {
  const stream = new PassThrough();
  return { stream, text: () => String(stream.read() ?? '') };
}

function inFile(write: (fd: number) => void): string {
  const path = join(mkdtempSync(join(tmpdir(), 'cutlayer-output-')), 'log');
  const fd = openSync(path, 'w');
  write(fd);
  closeSync(fd);
  return readFileSync(path, 'utf8');
}

describe('text from the other side', () => {
  it('is printed in an error without escapes, and no line of it stands alone', () => {
    const { stream, text } = collected();
    assert.equal(reportFailure(new CutlayerError('UNAVAILABLE', HOSTILE), stream), 1);
    const lines = text().trimEnd().split('\n');
    assert.doesNotMatch(lines.join('\n'), FORBIDDEN);
    assert.deepEqual(
      lines.map((line) => /^(error|hint|\s\s)/.exec(line)?.[0]),
      ['error', '  ', 'hint'],
    );
    assert.match(lines[2]!, /^hint: is the server running/);
  });

  it('is printed in an event of a federation in one line without escapes', () => {
    const { stream, text } = collected();
    const reporter = federateReporter(stream as unknown as NodeJS.WriteStream);
    reporter.onEvent({ type: 'waiting', reason: HOSTILE });
    reporter.onEvent({ type: 'finished', reason: HOSTILE, version: 1 } as unknown as Parameters<typeof reporter.onEvent>[0]);
    const printed = text();
    assert.doesNotMatch(printed, FORBIDDEN);
    assert.equal(printed.split('\n').length, 3);
  });

  it('is escaped in a log line, which still says the same', () => {
    const line = inFile((fd) => createLogger({ fd }).info({ reason: HOSTILE }, HOSTILE));
    assert.doesNotMatch(line, FORBIDDEN);
    assert.equal((JSON.parse(line) as { readonly msg: string }).msg, HOSTILE);
  });

  it('is escaped in a file of JSON lines, which still says the same', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'cutlayer-output-')), 'lines.jsonl');
    const file = await JsonLines.open(path);
    await file.append({ reason: HOSTILE });
    await file.close();
    const line = readFileSync(path, 'utf8');
    assert.doesNotMatch(line, FORBIDDEN);
    assert.deepEqual(JSON.parse(line), { reason: HOSTILE });
  });

  it('is written to the two streams by one file alone', () => {
    const root = packageRoot();
    const writers = ['src', 'clients/typescript'].flatMap((top) =>
      (readdirSync(join(root, top), { recursive: true }) as string[])
        .map((name) => join(top, name))
        .filter((name) => name.endsWith('.ts') && !name.startsWith('clients/typescript/examples/'))
        .filter((name) => /process\.(stdout|stderr)(?!\.on\()|console\.\w+\(/.test(readFileSync(join(root, name), 'utf8'))),
    );
    assert.deepEqual(writers, ['src/files/output.ts']);
  });
});

describe('output', () => {
  it('keeps line ends, tabs and letters of every script in text', () => {
    const text = 'eins\n\tzwei\nτρία שלוש 四 👍🏽\n';
    assert.equal(plainText(text), text);
    assert.equal(plainLine('one\ntwo'), 'one two');
  });

  it('takes a whole escape sequence out, and the controls of a cut one', () => {
    assert.equal(plainText('a\u001b[31mb\u001b[0mc'), 'abc');
    assert.equal(plainText('a\u001b') + plainText('[31mb'), 'a[31mb');
  });

  it('leaves JSON as it is but for the controls, which it escapes', () => {
    assert.equal(plainJson({ a: [1, 'x\u009b'] }, 1), '{\n "a": [\n  1,\n  "x\\u009b"\n ]\n}');
    assert.equal(escapeControls('{"a":"b"}'), '{"a":"b"}');
  });

  it('moves the cursor on a terminal only', () => {
    const { stream, text } = collected();
    const out = new Output(() => stream);
    out.status('working');
    out.clearStatus();
    out.clearScreen();
    assert.equal(text(), '');
    Object.assign(stream, { isTTY: true });
    out.status('working\u001b[31m');
    assert.equal(text(), '\r\u001b[Kworking\r');
  });
});
