/** Every way in which a data file can be wrong has a typed error that names the file and the line. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLines } from '../../../clients/typescript/data/lines.js';
import { type Example, type ExampleOptions, loadExamples, TextTokenizer } from '../../../clients/typescript/index.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { packageRoot } from '../../../src/files/package-root.js';

const good = '{"prompt": "Which part failed?", "completion": " Pump"}\n';
const special = { vocabSize: 320, bosTokenId: 0, eosTokenIds: [1] };

interface Malformed {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Line that the error names. */
  readonly line: number;
  readonly message: RegExp;
  readonly options?: Partial<ExampleOptions>;
}

const malformed: readonly Malformed[] = [
  { name: 'a line that is not JSON', content: `${good}prompt: hello\n`, line: 2, message: /not JSON/ },
  { name: 'a last line that was cut off', content: `${good}{"text": "half a li`, line: 2, message: /not JSON/ },
  {
    name: 'a comma that lacks',
    content: `${good}{"prompt": "a" "completion": "b"}\n`,
    line: 2,
    message: /not JSON \(at character 16 of 33\); expected/,
  },
  { name: 'a line that ends early', content: '{"text": "half\n', line: 1, message: /not JSON \(it ends early, after 14 characters\)/ },
  {
    name: 'CSV',
    content: 'prompt,completion\na,b\n',
    line: 1,
    message: /not JSON \(at character 1 of 17\): it looks like CSV; name the file .csv/,
  },
  {
    name: 'cells between tabs',
    content: 'prompt\tcompletion\n',
    line: 1,
    message: /it looks like cells between tabs; separate them by commas/,
  },
  {
    name: 'a byte order mark in the middle',
    content: `${good}\ufeff{"text": "a"}\n`,
    line: 2,
    message: /it begins with a byte order mark, .* files were joined/,
  },
  { name: 'single quotes', content: "{'text': 'a'}\n", line: 1, message: /it has single quotes, as Python prints; write it by json.dumps/ },
  {
    name: 'lists on lines',
    content: '["a", "b"]\n["c", "d"]\n',
    line: 1,
    message: /expected an object, got an array: each line is a list; write one object/,
  },
  { name: 'two objects on one line', content: '{"text": "a"} {"text": "b"}\n', line: 1, message: /not JSON \(at character 15 of 27\)/ },
  { name: 'an array after the first line', content: `${good}[{"text": "a"}]\n`, line: 2, message: /expected an object, got an array/ },
  { name: 'a pretty-printed object', content: '{\n  "text": "a"\n}\n', line: 1, message: /not JSON/ },
  { name: 'a bare string', content: '"text"\n', line: 1, message: /expected an object, got a string/ },
  { name: 'a bare number', content: `${good}42\n`, line: 2, message: /expected an object, got a number/ },
  { name: 'null', content: 'null\n', line: 1, message: /expected an object, got null/ },
  { name: 'an empty object', content: '{}\n', line: 1, message: /the keys are: none/ },
  { name: 'an object of other keys', content: '{"input": "a", "output": "b"}\n', line: 1, message: /the keys are: input, output/ },
  { name: 'a prompt without completion', content: '{"prompt": "a"}\n', line: 1, message: /"completion" beside "prompt"/ },
  { name: 'a completion without prompt', content: '{"completion": "a"}\n', line: 1, message: /"prompt" beside "completion"/ },
  {
    name: 'a prompt that is a number',
    content: '{"prompt": 1, "completion": "a"}\n',
    line: 1,
    message: /prompt: expected a string, got number/,
  },
  {
    name: 'a completion that is null',
    content: '{"prompt": "a", "completion": null}\n',
    line: 1,
    message: /completion: expected a string, got null/,
  },
  {
    name: 'an empty completion',
    content: `${good}{"prompt": "a", "completion": ""}\n`,
    line: 2,
    message: /completion: expected text, got an empty/,
  },
  { name: 'an empty text', content: '{"text": ""}\n', line: 1, message: /text: expected text, got an empty string/ },
  { name: 'a text that is a list', content: '{"text": ["a"]}\n', line: 1, message: /text: expected a string, got object/ },
  { name: 'two forms at once', content: '{"prompt": "a", "completion": "b", "text": "c"}\n', line: 1, message: /exactly one form/ },
  { name: 'a prompt beside messages', content: '{"prompt": "a", "messages": []}\n', line: 1, message: /exactly one form/ },
  { name: 'messages that are no list', content: '{"messages": {"role": "user"}}\n', line: 1, message: /messages: expected a list/ },
  { name: 'no messages', content: '{"messages": []}\n', line: 1, message: /at least one message/ },
  { name: 'a message that is a string', content: '{"messages": ["hello"]}\n', line: 1, message: /messages\[0\]: expected an object/ },
  {
    name: 'a message without role',
    content: '{"messages": [{"content": "a"}]}\n',
    line: 1,
    message: /messages\[0\]\.role: expected one of .* got nothing/,
  },
  { name: 'a role that nobody has', content: '{"messages": [{"role": "bot", "content": "a"}]}\n', line: 1, message: /got "bot"/ },
  {
    name: 'a message without content',
    content: '{"messages": [{"role": "assistant"}]}\n',
    line: 1,
    message: /messages\[0\]\.content: expected a string, got nothing/,
  },
  {
    name: 'messages without an assistant turn',
    content: '{"messages": [{"role": "user", "content": "a"}]}\n',
    line: 1,
    message: /at least one assistant turn/,
  },
  { name: 'half a surrogate pair', content: '{"text": "\\ud83d"}\n', line: 1, message: /half of a surrogate pair/ },
  {
    name: 'bytes that are not UTF-8',
    content: Buffer.concat([Buffer.from(good), Buffer.from([0x7b, 0xff, 0x7d, 10])]),
    line: 2,
    message: /not valid UTF-8/,
  },
  { name: 'UTF-16', content: Buffer.from('\uFEFF{"text": "a"}\n', 'utf16le'), line: 1, message: /not valid UTF-8/ },
  { name: 'a compressed file', content: Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), line: 1, message: /not valid UTF-8/ },
  {
    name: 'an example longer than the model takes',
    content: `${good}{"text": "${'word '.repeat(40)}"}\n`,
    line: 2,
    message: /tokens, the most is 40/,
    options: { maxLength: 40 },
  },
  {
    name: 'more tokens than are allowed in all',
    content: good.repeat(10),
    line: 4,
    message: /more than 60 tokens/,
    options: { maxTotalTokens: 60 },
  },
];

describe('data files', () => {
  let dir: string;
  let tokenizer: TextTokenizer;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-data-'));
    tokenizer = await TextTokenizer.load(join(packageRoot(), 'test/fixtures/llama-tiny'), special);
  });

  after(() => rm(dir, { recursive: true, force: true }));

  const load = async (content: string | Uint8Array, options: Partial<ExampleOptions> = {}): Promise<readonly Example[]> => {
    const file = join(dir, 'data.jsonl');
    await writeFile(file, content);
    return loadExamples(file, tokenizer, { maxLength: 64, ...options });
  };

  for (const { name, content, line, message, options } of malformed) {
    it(`refuses ${name}, naming line ${line}`, async () => {
      await rejects(load(content, options), 'INVALID_DATA', message, `data.jsonl:${line}:`);
    });
  }

  it('refuses a file without examples', async () => {
    await rejects(load(''), 'INVALID_DATA', /no examples/, 'data.jsonl');
    await rejects(load('\n  \n'), 'INVALID_DATA', /no examples/, 'data.jsonl');
  });

  it('refuses a file whose examples were all left out as too long, saying so', async () => {
    await rejects(load(good.repeat(3), { maxLength: 2, overlong: 'skip' }), 'INVALID_DATA', /all 3 are longer than 2 tokens/, 'data.jsonl');
  });

  it('refuses a file that is not there and a directory', async () => {
    await rejects(loadExamples(join(dir, 'absent.jsonl'), tokenizer, { maxLength: 64 }), 'NOT_FOUND', /no such data file/, 'absent.jsonl');
    await mkdir(join(dir, 'folder.jsonl'));
    await rejects(loadExamples(join(dir, 'folder.jsonl'), tokenizer, { maxLength: 64 }), 'INVALID_DATA', /got a directory/, 'folder.jsonl');
  });

  it('refuses a line over the limit without reading it whole', async () => {
    const file = join(dir, 'long.jsonl');
    await writeFile(file, `${good}${'x'.repeat(1 << 20)}`);
    const read = async () => {
      for await (const _ of readLines(file, 1000));
    };
    await rejects(read(), 'INVALID_DATA', /longer than 1000 bytes/, 'long.jsonl:2');
  });

  it('refuses messages when the checkpoint has no chat template', async () => {
    const bare = new TextTokenizer(await tokenizerJson(), {}, special);
    const file = join(dir, 'chat.jsonl');
    await writeFile(file, '{"messages": [{"role": "assistant", "content": "a"}]}\n');
    await rejects(loadExamples(file, bare, { maxLength: 64 }), 'INVALID_DATA', /no chat template/, 'chat.jsonl:1');
  });

  it('refuses a conversation that the template refuses, and turns that cannot be told apart', async () => {
    const file = join(dir, 'chat.jsonl');
    const turns = '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]';
    await writeFile(file, `{"messages": ${turns}}\n`);
    const withTemplate = async (template: string) =>
      loadExamples(file, new TextTokenizer(await tokenizerJson(), {}, special, template), { maxLength: 64 });
    await rejects(withTemplate('{{ raise_exception("roles must alternate") }}'), 'INVALID_DATA', /roles must alternate/, 'chat.jsonl:1');
    const rewriting = '{{ messages | length }}{% for i in range(messages | length) %}{{ messages[i].content }}{% endfor %}';
    await rejects(withTemplate(rewriting), 'INVALID_DATA', /rewrites earlier turns/, 'chat.jsonl:1');
  });

  it('refuses a tokenizer of another checkpoint', async () => {
    const small = await TextTokenizer.load(join(packageRoot(), 'test/fixtures/llama-tiny'), { ...special, vocabSize: 10 });
    await rejects(loadSmall(small), 'INVALID_ARTIFACT', /belong to another checkpoint/, '');
    async function loadSmall(other: TextTokenizer) {
      const file = join(dir, 'small.jsonl');
      await writeFile(file, good);
      return loadExamples(file, other, { maxLength: 64 });
    }
  });

  it('skips blank lines, a byte order mark, carriage returns and keys that it does not know', async () => {
    const examples = await load(`\uFEFF{"id": 7, "text": "a"}\r\n\r\n\n{"text": "a"}`);
    assert.equal(examples.length, 2);
    assert.deepEqual(examples[0]!.tokenIds, examples[1]!.tokenIds);
    assert.match(examples[1]!.source, /data\.jsonl:4$/);
  });

  it('names once the keys that no record reads, with their rows', async () => {
    const notices: string[] = [];
    await load('{"id": 1, "text": "a", "tools": []}\n{"id": 2, "text": "b"}', { onNotice: (notice) => notices.push(notice) });
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /data\.jsonl: keys that no record reads: "id" \(2 rows\), "tools" \(1 row\)$/);
  });

  it('says how many rows it cut or left out', async () => {
    const long = 'word '.repeat(50);
    const content = `{"text": "${long}"}\n{"text": "a"}\n{"text": "${long}"}`;
    const read = async (overlong: 'skip' | 'truncate') => {
      const notices: string[] = [];
      const { length } = await load(content, {
        maxLength: 20,
        overlong,
        onNotice: (notice) => notices.push(notice.replace(/^.*jsonl: /, '')),
      });
      return [length, ...notices];
    };
    assert.deepEqual(await read('skip'), [1, '2 rows longer than 20 tokens were left out']);
    assert.deepEqual(await read('truncate'), [3, '2 rows longer than 20 tokens were cut; they end without the eos token']);
  });

  it('leaves out a row whose learned part is cut away whole, and says how many', async () => {
    const away = `{"prompt": "${'word '.repeat(40)}", "completion": "a"}`;
    const notices: string[] = [];
    const options = { maxLength: 20, overlong: 'truncate', onNotice: (notice: string) => notices.push(notice) } as const;
    const examples = await load(`${away}\n{"prompt": "a", "completion": "b"}\n${away}\n`, options);
    assert.deepEqual(
      examples.map(({ source }) => source.replace(/^.*jsonl:/, '')),
      ['2'],
    );
    assert.match(notices.join(), /data\.jsonl: 2 rows left out: the learned part begins after 20 tokens, where rows are cut$/);
    await rejects(
      load(`${away}\n`, options),
      'INVALID_DATA',
      /no examples: the learned part of 1 begins after 20 tokens, where rows are cut/,
      'data.jsonl',
    );
    await rejects(load('{"prompt": "a", "completion": ""}\n', options), 'INVALID_DATA', /completion: expected text/, 'data.jsonl:1');
  });

  it('refuses a row whose only token to learn is predicted by nothing', async () => {
    const bare = new TextTokenizer({ ...(await tokenizerJson()), post_processor: null }, {}, special);
    const file = join(dir, 'zero.jsonl');
    await writeFile(file, '{"prompt": "", "completion": "a"}\n');
    const options = { maxLength: 64, appendEos: false };
    await rejects(
      loadExamples(file, bare, { ...options, predictsFirst: false }),
      'INVALID_DATA',
      /predicted by a soft prompt only/,
      'zero.jsonl:1',
    );
    assert.equal((await loadExamples(file, bare, options)).length, 1);
    assert.equal((await loadExamples(file, bare, { maxLength: 64, predictsFirst: false })).length, 1, 'the eos token is learned');
  });

  it('refuses a conversation whose every turn has weight 0', async () => {
    const file = join(dir, 'weights.jsonl');
    await writeFile(file, '{"messages": [{"role": "assistant", "content": "b", "weight": 0}]}\n');
    const chat = new TextTokenizer(await tokenizerJson(), {}, special, '{% for m in messages %}{{ m.content }}{% endfor %}');
    await rejects(loadExamples(file, chat, { maxLength: 64 }), 'INVALID_DATA', /every assistant turn has weight 0/, 'weights.jsonl:1');
  });

  it('gives the same lines however the file is cut into chunks', async () => {
    const file = join(dir, 'chunks.jsonl');
    const text = Array.from({ length: 2000 }, (_, i) => `{"text": "${'é'.repeat(i % 400)}"}`);
    await writeFile(file, text.join('\n'));
    const seen: string[] = [];
    for await (const line of readLines(file)) seen.push(line.text);
    assert.deepEqual(seen, text);
  });

  async function tokenizerJson(): Promise<object> {
    const { readFile } = await import('node:fs/promises');
    return JSON.parse(await readFile(join(packageRoot(), 'test/fixtures/llama-tiny/tokenizer.json'), 'utf8')) as object;
  }
});

async function rejects(work: Promise<unknown>, code: ErrorCode, message: RegExp, where: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof CutlayerError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(error.message.includes(where), `${error.message} does not name ${where}`);
    return true;
  });
}
