/** Files and dialects that data comes in: each gives the examples of plain JSON lines, and is named. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { csvRows } from '../../../clients/typescript/data/csv.js';
import { plainNumbers } from '../../../clients/typescript/data/exact-numbers.js';
import { type Format, recordKeys } from '../../../clients/typescript/data/formats.js';
import { parquetRows } from '../../../clients/typescript/data/parquet.js';
import { readRecord } from '../../../clients/typescript/data/records.js';
import { loadExamples, parseRecord, TextTokenizer } from '../../../clients/typescript/index.js';
import { packageRoot } from '../../../src/files/package-root.js';

const record = (value: unknown) => parseRecord(JSON.stringify(value), 'x:1');
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string, others: object = {}) => ({ role: 'assistant', content, ...others });

describe('data formats', () => {
  let dir: string;
  let tokenizer: TextTokenizer;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-formats-'));
    tokenizer = await TextTokenizer.load(join(packageRoot(), 'test/fixtures/llama-tiny'), {
      vocabSize: 320,
      bosTokenId: 0,
      eosTokenIds: [1],
    });
  });
  after(async () => {
    await tokenizer.close();
    await rm(dir, { recursive: true });
  });

  /** Ids and notices of a file. */
  const read = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(dir, name), content);
    const notices: string[] = [];
    const examples = await loadExamples(join(dir, name), tokenizer, { maxLength: 200, onNotice: (notice) => notices.push(notice) });
    return {
      ids: examples.map(({ tokenIds }) => [...tokenIds]),
      sources: examples.map(({ source }) => source.slice(dir.length + 1)),
      notices,
    };
  };
  const records = [
    { prompt: 'Which, "part"?\n', completion: ' Pump' },
    { prompt: 'caf\u00e9', completion: ' none' },
  ];

  it('are JSON lines, a JSON array and CSV with a header, with the same examples', async () => {
    const lines = await read('a.jsonl', records.map((row) => JSON.stringify(row)).join('\n'));
    const array = await read('a.json', `\ufeff\n ${JSON.stringify(records, null, 2)}`);
    const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const csv = await read(
      'a.CSV',
      `\ufeffprompt,completion\r\n${records.map((row) => `${cell(row.prompt)}, ${row.completion.trim()}`).join('\r\n')}\r\n`,
    );
    assert.deepEqual(array.ids, lines.ids);
    assert.deepEqual(csv.ids, lines.ids);
    assert.deepEqual([array.sources[1], csv.sources], ['a.json item 2', ['a.CSV:2', 'a.CSV:4']]);
  });

  it('have lists in cells of CSV as JSON', async () => {
    const messages = JSON.stringify([user('a'), assistant('b')]).replaceAll('"', '""');
    const csv = await read('m.csv', `id,messages\n1,"${messages}"\n`);
    const lines = await read('m.jsonl', JSON.stringify({ messages: [user('a'), assistant('b')] }));
    assert.deepEqual(csv.ids, lines.ids);
    assert.match(csv.notices[0]!, /keys that no record reads: "id"/);
  });

  it('are called what they are where they are not read', async () => {
    const refused = (name: string, content: string | Uint8Array, message: RegExp) =>
      assert.rejects(read(name, content), (error: { readonly code: string; readonly message: string }) => {
        assert.equal(error.code, 'INVALID_DATA');
        assert.match(error.message, message);
        return true;
      });
    await refused('g.jsonl', Buffer.of(0x1f, 0x8b, 8, 0), /a gzip file; unpack/);
    await refused('b.json', '[{"text": "a"}', /begins with \[ but is no JSON array/);
    await refused('b.json', '[{"text": "a"},\n{"text" "b"}]', /begins with \[ but is no JSON array \(line 2, character 9\)$/);
    await refused('i.json', '[{"text": "a"}, 4]', /i\.json item 2: expected an object, got a number/);
    await refused('s.csv', 'prompt;completion\na;b\n', /s\.csv:1: a header without commas/);
    await refused('w.csv', 'prompt,completion\na,b,c\n', /w\.csv:2: expected 2 cells \(prompt, completion\), got 3/);
    await refused('q.csv', 'text\n"open\n', /q\.csv:2: a quoted cell without its closing quote/);
    await refused('d.csv', 'text,text\na,b\n', /a name for each column/);
  });

  it('of CSV keep quotes, commas and line ends of quoted cells, and count lines', () => {
    assert.deepEqual(
      [...csvRows('a,b\n"x""y","1,2\n3"\n\n,z', 'f')],
      [
        { line: 2, fields: { a: 'x"y', b: '1,2\n3' } },
        { line: 5, fields: { a: '', b: 'z' } },
      ],
    );
  });

  it('of Alpaca become prompt and completion', async () => {
    const plain = record({ instruction: 'Say it.', input: '', output: 'it', id: 1 });
    assert.ok(plain.form === 'completion' && plain.completion === 'it');
    assert.match(plain.prompt, /^Below is an instruction that describes a task\. .*\n\n### Instruction:\nSay it\.\n\n### Response:\n$/s);
    const given = record({ instruction: 'Say it.', input: 'that', output: 'it' });
    assert.ok(given.form === 'completion' && given.prompt.includes('paired with an input') && given.prompt.includes('### Input:\nthat\n'));
    const { notices } = await read('alpaca.json', JSON.stringify([{ instruction: 'a', output: 'b' }]));
    assert.match(notices[0]!, /1 row read as Alpaca \(instruction, input, output\)/);
  });

  it('of ShareGPT become messages', () => {
    const turns = [
      { from: 'human', value: 'a' },
      { from: 'gpt', value: 'b' },
    ];
    assert.deepEqual(record({ conversations: turns, system: 's' }), {
      form: 'messages',
      messages: [{ role: 'system', content: 's' }, user('a'), assistant('b')],
    });
    assert.deepEqual(record({ conversations: [user('a'), assistant('b')] }), { form: 'messages', messages: [user('a'), assistant('b')] });
    assert.throws(() => record({ conversations: [{ from: 'narrator', value: 'x' }] }), {
      code: 'INVALID_DATA',
      message: /conversations\[0\]\.from: expected one of human, .*got "narrator"/,
    });
  });

  it("of TRL's conversational prompt and completion learn the completion alone", () => {
    assert.deepEqual(record({ prompt: [user('a'), assistant('b'), user('c')], completion: [assistant('d')] }), {
      form: 'messages',
      messages: [user('a'), assistant('b', { weight: 0 }), user('c'), assistant('d')],
    });
  });

  it('have content in parts, of text alone', () => {
    const parts = [{ type: 'text', text: 'a' }];
    assert.deepEqual(record({ messages: [{ role: 'user', content: parts }, assistant('b')] }), {
      form: 'messages',
      messages: [{ role: 'user', content: parts }, assistant('b')],
    });
    assert.throws(() => record({ messages: [{ role: 'user', content: [{ type: 'image', url: 'x' }] }, assistant('b')] }), {
      message: /messages\[0\]\.content\[0\]: expected .*got "image"; the model reads text only/,
    });
  });

  it('of preferences are refused by name', () => {
    assert.throws(() => record({ prompt: 'a', chosen: 'b', rejected: 'c' }), { message: /a preference record \(chosen, rejected\)/ });
  });

  it('that a caller states are read as that alone, and refused with the shape and the keys', () => {
    const read = (value: unknown, format: Format) => readRecord(value, 'x:7', format);
    const alpaca = { instruction: 'Say it.', input: '', output: 'it', text: 'Below is an instruction' };
    assert.equal(read(alpaca, 'auto').record.form, 'text', 'a text column comes first');
    const stated = read(alpaca, 'alpaca');
    assert.ok(stated.record.form === 'completion' && stated.record.completion === 'it');
    assert.deepEqual(stated.unread, ['text']);
    const fits: Readonly<Record<Exclude<Format, 'auto'>, object>> = {
      completion: { prompt: 'a', completion: 'b', label: 'c' },
      chat: { messages: [user('a'), assistant('b')] },
      text: { text: 'a' },
      alpaca: { instruction: 'a', output: 'b' },
      sharegpt: {
        conversations: [
          { from: 'human', value: 'a' },
          { from: 'gpt', value: 'b' },
        ],
      },
      trl: { prompt: [user('a')], completion: [assistant('b')] },
    };
    for (const [format, value] of Object.entries(fits) as [Exclude<Format, 'auto'>, object][]) {
      read(value, format);
      for (const [other, different] of Object.entries(fits)) {
        if (other === format) continue;
        assert.throws(
          () => read(different, format),
          (error: { readonly code: string; readonly message: string }) => {
            assert.equal(error.code, 'INVALID_DATA');
            assert.match(
              error.message,
              new RegExp(`^x:7: the format ${format} wants \\{.*; the keys are: ${Object.keys(different).join(', ')}$`),
            );
            return true;
          },
        );
      }
    }
  });

  it('of a file are stated by an option', async () => {
    await writeFile(join(dir, 'f.jsonl'), '{"text": "a"}\n{"prompt": "a", "completion": "b"}\n');
    await assert.rejects(loadExamples(join(dir, 'f.jsonl'), tokenizer, { maxLength: 200, format: 'text' }), {
      code: 'INVALID_DATA',
      message: /f\.jsonl:2: the format text wants \{"text"\}; the keys are: prompt, completion$/,
    });
  });
});

describe('data in Parquet', () => {
  const at = (name: string) => join(packageRoot(), 'test/fixtures/parquet', name);
  const rows = async (name: string) => {
    const found = [];
    for await (const row of parquetRows(at(name), recordKeys)) found.push(row);
    return found;
  };
  let expected: {
    readonly pairs: readonly { readonly id: number; readonly prompt: string; readonly completion: string }[];
    readonly chats: readonly object[];
  };
  before(async () => {
    expected = JSON.parse(await readFile(at('rows.json'), 'utf8')) as typeof expected;
  });

  for (const name of ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'delta'])
    it(`is read as pyarrow wrote it: ${name}`, async () => {
      const found = await rows(`${name}.parquet`);
      assert.deepEqual(
        found.map(({ fields }) => fields),
        expected.pairs.map((pair) => ({ ...pair, id: null })),
      );
      assert.deepEqual([found[0]!.number, found.at(-1)!.number], [1, 24]);
    });

  it('has conversations, with what their rows hold and numbers as they are', async () => {
    const found = await rows('chats.parquet');
    assert.deepEqual(
      found.map(({ fields }) => plainNumbers({ ...fields, tools: JSON.parse(String(fields.tools)) as unknown })),
      expected.chats,
    );
    const [, second] = found.map(
      ({ fields }) => fields.messages as { readonly tool_calls: readonly { readonly function: { readonly arguments: object } }[] }[],
    );
    const given = second![1]!.tool_calls[0]!.function.arguments as { readonly at: unknown; readonly deep: unknown };
    assert.ok(given.at instanceof Number, '1.0 is a float');
    assert.equal(given.deep, 12345678901234567n);
  });

  it('gives the examples of the same JSON lines, names rows, and tells columns that no record reads', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-parquet-'));
    const tokenizer = await TextTokenizer.load(join(packageRoot(), 'test/fixtures/llama-tiny'), {
      vocabSize: 320,
      bosTokenId: 0,
      eosTokenIds: [1],
    });
    try {
      await writeFile(join(dir, 'a.jsonl'), expected.pairs.map((pair) => JSON.stringify(pair)).join('\n'));
      const read = async (file: string, format: Format = 'auto') => {
        const notices: string[] = [];
        const examples = await loadExamples(file, tokenizer, { maxLength: 200, format, onNotice: (notice) => notices.push(notice) });
        return { ids: examples.map(({ tokenIds }) => [...tokenIds]), source: examples[11]!.source, notices };
      };
      const [lines, parquet] = [await read(join(dir, 'a.jsonl')), await read(at('zstd.parquet'))];
      assert.deepEqual(parquet.ids, lines.ids);
      assert.match(parquet.source, /zstd\.parquet row 12$/);
      assert.match(parquet.notices[0]!, /keys that no record reads: "id" \(24 rows\)/);
      await assert.rejects(read(at('zstd.parquet'), 'text'), {
        message: /zstd\.parquet row 1: the format text wants .*; the keys are: prompt, completion$/,
      });
    } finally {
      await tokenizer.close();
      await rm(dir, { recursive: true });
    }
  });

  it('that is damaged, or no data, is refused with its rows', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-parquet-'));
    const refused = async (bytes: Uint8Array, message: RegExp, wanted = recordKeys) => {
      const file = join(dir, 'p.parquet');
      await writeFile(file, bytes);
      await assert.rejects(
        async () => {
          for await (const _ of parquetRows(file, wanted));
        },
        (error: { readonly code: string; readonly message: string }) => {
          assert.equal(error.code, 'INVALID_DATA', error.message);
          assert.match(error.message, message);
          return true;
        },
      );
    };
    try {
      const whole = await readFile(at('zstd.parquet'));
      await refused(Buffer.from('PAR1\0\0'), /cannot be read as Parquet: the file is too short/);
      await refused(whole.subarray(0, -9), /cannot be read as Parquet/);
      const long = Buffer.from(whole);
      long.writeUInt32LE(0x7fffffff, long.length - 8);
      await refused(long, /its description has 2147483647 bytes, the most is/);
      const broken = Buffer.from(whole);
      broken.fill(0xff, 40, 200);
      await refused(broken, /p\.parquet rows 1 to 10: cannot be read as Parquet/);
      for (const [header, run] of [
        ['feffffff07', '1073741823'],
        ['ffffffff07', '8589934584'],
      ] as const) {
        const endless = await readFile(at('none.parquet'));
        const levels = endless.indexOf(Buffer.from('020000001401', 'hex'), endless.indexOf('Ticket'));
        endless.write(header, levels + 4, 'hex');
        await refused(
          endless,
          RegExp(`rows 1 to 10: cannot be read as Parquet: row group 1, column prompt: a run of ${run} values where 10 are left`),
        );
      }
      await refused(await readFile(at('refused/shared.parquet')), /row group 1, column prompt: texts of a page .* the most is 536870912/);
      await refused(whole, /no column of a record .*; the columns are: id, prompt, completion$/, new Set(['text']));
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
