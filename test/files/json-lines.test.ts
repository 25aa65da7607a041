import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JsonLines, readJsonLines } from '../../src/files/json-lines.js';

interface Row {
  readonly n: number;
}
const parse = (line: string): Row | undefined => {
  const row = JSON.parse(line) as Row;
  return row.n < 0 ? undefined : row;
};

describe('files of JSON lines', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-lines-'));
    path = join(dir, 'log.jsonl');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('go on after the last whole line, and cut half a line off', async () => {
    const first = await JsonLines.open<Row>(path, { mode: 0o600 });
    await first.append({ n: 1 });
    await first.append({ n: 2 }, { durable: true });
    await first.close();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await appendFile(path, '{"n": 3');
    assert.deepEqual(await readJsonLines(path, parse), [{ n: 1 }, { n: 2 }]);
    for (const options of [{}, { parse }]) {
      const again = await JsonLines.open<Row>(path, options);
      assert.equal(again.bytes, (await stat(path)).size);
      await again.close();
      assert.equal(await readFile(path, 'utf8'), '{"n":1}\n{"n":2}\n');
    }
  });

  it('give what was there, and take out what no longer holds', async () => {
    await writeFile(path, '{"n":1}\n{"n":-2}\n{"n":3}\n{"n"');
    const lines = await JsonLines.open(path, { parse });
    assert.deepEqual(lines.earlier, [{ n: 1 }, { n: 3 }]);
    await lines.append({ n: 4 });
    assert.equal(lines.bytes, (await stat(path)).size);
    await lines.close();
    assert.equal(await readFile(path, 'utf8'), '{"n":1}\n{"n":3}\n{"n":4}\n');
    assert.deepEqual(await readdir(dir), ['log.jsonl']);
  });

  it('tell the parser where a line is, and leave the file as it is when that refuses it', async () => {
    const text = '{"n":1}\nnot a row\n{"n"';
    await writeFile(path, text);
    const refuse = (line: string, where: string): Row => {
      if (line.startsWith('{')) return { n: 1 };
      throw new Error(where);
    };
    await assert.rejects(JsonLines.open(path, { parse: refuse }), { message: `${path}:2` });
    assert.equal(await readFile(path, 'utf8'), text);
  });

  it('write lines that are appended at once in their order, and all of them before they close', async () => {
    const lines = await JsonLines.open<Row>(path);
    const rows = Array.from({ length: 50 }, (_, n) => ({ n }));
    for (const row of rows) void lines.append(row);
    await lines.close();
    assert.deepEqual(await readJsonLines(path, parse), rows);
  });
});
