/** Safetensors files and indexes that must be refused, each named, each by its code and by what the message says. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/safetensors/checkpoint.js';
import { HeaderSyntaxError, parseHeaderText } from '../../src/safetensors/header-text.js';
import { openSafetensors } from '../../src/safetensors/reader.js';
import { decodeTensors, encodeTensors, readTensors } from '../../src/safetensors/tensors-file.js';
import { f32 } from '../../src/tensor/tensor.js';
import { thorough } from '../support/exhaustive.js';

/** A file from its header's text, with as many bytes of data as asked for. */
function file(header: string | Uint8Array, dataBytes = 0, claimedLength?: number | bigint): Uint8Array {
  const text = Buffer.from(header);
  const bytes = Buffer.alloc(8 + text.length + dataBytes);
  bytes.writeBigUInt64LE(BigInt(claimedLength ?? text.length), 0);
  text.copy(bytes, 8);
  return bytes;
}

const entry = (dtype: string, shape: string, offsets: string): string => `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
const one = entry('F32', '[2]', '[0,8]');

type Case = readonly [name: string, bytes: Uint8Array, message: RegExp];

const malformed: readonly Case[] = [
  // the length
  ['an empty file', new Uint8Array(0), /at least 8 bytes, got 0/],
  ['seven bytes', new Uint8Array(7), /at least 8 bytes, got 7/],
  ['a length of 0', file('', 0), /at least 2 bytes, it claims 0/],
  ['a length of 1', file('{', 0), /at least 2 bytes, it claims 1/],
  ['a length beyond the file', file('{}', 0, 3), /claims 3 bytes, but the file has only 10: it is truncated/],
  ['a length of 100,000,001', file('{}', 0, 100_000_001), /at most 100000000 bytes, it claims 100000001/],
  ['a length of 2^53', file('{}', 0, 2n ** 53n), /at most 100000000 bytes/],
  ['a length of 2^64 - 1', file('{}', 0, 2n ** 64n - 1n), /at most 100000000 bytes, it claims 18446744073709551615/],
  ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'), /Git LFS pointer.*git lfs pull/],
  ['a zip file (a torch pickle renamed)', Buffer.from('PK\x03\x04\x00\x00\x08\x08more of it'), /at most 100000000 bytes/],
  // the text
  ['a header that begins with a space', file(' {}'), /must begin with '\{'/],
  ['a header that is an array', file('[]'), /must begin with '\{'/],
  ['bytes that are no UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /not valid UTF-8/],
  ['an object that never ends', file('{"a":'), /expected '\{' at character 5, got the end/],
  ['text after the object', file('{}x'), /expected the end at character 2, got "x"/],
  ['a second object', file('{}{}'), /expected the end/],
  ['a key without quotes', file('{a:1}'), /expected a string/],
  ['a string that never ends', file('{"a'), /expected a string/],
  ['a string with a raw newline', file('{"a\n":1}'), /expected a string/],
  ['a bad escape', file(`{"a\\x":${one}}`, 8), /expected a string/],
  ['a missing colon', file(`{"a" ${one}}`, 8), /expected ':'/],
  ['a trailing comma', file(`{"a":${one},}`, 8), /expected a string/],
  ['a comment', file(`{/**/"a":${one}}`, 8), /expected a string/],
  ['NUL padding after the object', file('{}\u0000\u0000'), /expected the end/],
  // entries
  ['a tensor that is null', file('{"a":null}'), /tensor a: expected '\{'/],
  ['a tensor that is a list', file('{"a":[]}'), /tensor a: expected '\{'/],
  ['nesting a thousand deep', file(`{"a":${'{"b":'.repeat(1000)}1${'}'.repeat(1000)}}`), /tensor a: b is unknown/],
  ['an empty tensor name', file(`{"":${one}}`, 8), /empty name/],
  ['a tensor twice', file(`{"a":${one},"a":${one}}`, 8), /tensor a occurs twice/],
  ['a tensor twice, once by escapes', file(`{"a":${one},"\\u0061":${one}}`, 8), /tensor a occurs twice/],
  ['no dtype', file('{"a":{"shape":[2],"data_offsets":[0,8]}}', 8), /expected dtype, shape and data_offsets/],
  ['no shape', file('{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8), /expected dtype, shape and data_offsets/],
  ['no data_offsets', file('{"a":{"dtype":"F32","shape":[2]}}', 8), /expected dtype, shape and data_offsets/],
  ['dtype twice', file('{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}', 8), /dtype is unknown or occurs twice/],
  ['a key of no meaning', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', 8), /x is unknown/],
  ['a dtype that is a number', file('{"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}}', 8), /dtype: expected a string/],
  ['an unknown dtype', file(`{"a":${entry('F33', '[2]', '[0,8]')}}`, 8), /unknown dtype "F33"/],
  ['a dtype named like a property of every object', file(`{"a":${entry('constructor', '[2]', '[0,8]')}}`, 8), /unknown dtype/],
  ['a dtype in lower case', file(`{"a":${entry('f32', '[2]', '[0,8]')}}`, 8), /unknown dtype "f32"/],
  // shapes
  ['a shape that is a number', file(`{"a":${entry('F32', '2', '[0,8]')}}`, 8), /shape: expected '\['/],
  ['a negative dim', file(`{"a":${entry('F32', '[-2]', '[0,8]')}}`, 8), /shape: expected an integer in 0/],
  ['a fractional dim', file(`{"a":${entry('F32', '[2.0]', '[0,8]')}}`, 8), /shape: expected an integer/],
  ['a dim in exponent form', file(`{"a":${entry('F32', '[2e0]', '[0,8]')}}`, 8), /shape: expected an integer/],
  ['a dim with a leading zero', file(`{"a":${entry('F32', '[02]', '[0,8]')}}`, 8), /shape: expected/],
  ['a dim that is a string', file(`{"a":${entry('F32', '["2"]', '[0,8]')}}`, 8), /shape: expected an integer/],
  ['a dim of 2^53', file(`{"a":${entry('F32', '[9007199254740992]', '[0,8]')}}`, 8), /shape: expected an integer/],
  ['17 dims', file(`{"a":${entry('F32', `[${Array(17).fill(1)}]`, '[0,4]')}}`, 4), /more than 16 numbers/],
  ['a product of dims that overflows', file(`{"a":${entry('F32', '[4294967296,4294967296]', '[0,8]')}}`, 8), /too large/],
  ['4-bit elements that end within a byte', file(`{"a":${entry('F4', '[3]', '[0,1]')}}`, 1), /no whole number of bytes/],
  // offsets
  ['one offset', file(`{"a":${entry('F32', '[2]', '[0]')}}`, 8), /expected two data_offsets, got 1/],
  ['three offsets', file(`{"a":${entry('F32', '[2]', '[0,8,8]')}}`, 8), /more than 2 numbers/],
  ['a negative offset', file(`{"a":${entry('F32', '[2]', '[-8,0]')}}`, 8), /expected an integer/],
  ['an end before the begin', file(`{"a":${entry('F32', '[2]', '[8,0]')}}`, 8), /takes 8 bytes, data_offsets \[8, 0\] do not/],
  ['too few bytes for the shape', file(`{"a":${entry('F32', '[2]', '[0,4]')}}`, 4), /takes 8 bytes/],
  ['too many bytes for the shape', file(`{"a":${entry('F32', '[2]', '[0,12]')}}`, 12), /takes 8 bytes/],
  ['a hole before the first tensor', file(`{"a":${entry('F32', '[2]', '[4,12]')}}`, 12), /after a hole/],
  ['a hole between tensors', file(`{"a":${one},"b":${entry('F32', '[1]', '[12,16]')}}`, 16), /tensor b: .*after a hole/],
  ['two tensors at the same place', file(`{"a":${one},"b":${one}}`, 8), /inside another tensor/],
  ['overlapping tensors', file(`{"a":${one},"b":${entry('F32', '[2]', '[4,12]')}}`, 12), /inside another tensor/],
  ['data cut off', file(`{"a":${one}}`, 7), /the file has only .*truncated/],
  ['no data at all', file(`{"a":${one}}`), /truncated/],
  ['data that belongs to no tensor', file(`{"a":${one}}`, 9), /belongs to no tensor/],
  ['data without any tensor', file('{}', 1), /belongs to no tensor/],
  ['an end beyond 2^53', file(`{"a":${entry('U8', '[1]', '[0,9007199254740993]')}}`, 1), /expected an integer/],
  // metadata
  ['metadata that is a string', file('{"__metadata__":"pt"}'), /__metadata__: expected '\{'/],
  ['metadata with a number', file('{"__metadata__":{"a":1}}'), /__metadata__.a: expected a string/],
  ['metadata with a nested object', file('{"__metadata__":{"a":{}}}'), /__metadata__.a: expected a string/],
  ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /__metadata__ occurs twice/],
  ['a metadata key twice', file('{"__metadata__":{"a":"1","a":"2"}}'), /__metadata__.a occurs twice/],
];

describe('safetensors: refuses', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-safetensors-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  for (const [name, bytes, message] of malformed) {
    it(name, async () => {
      assert.throws(() => decodeTensors(bytes, 'it'), { code: 'INVALID_SAFETENSORS', message });
      const path = join(dir, 'model.safetensors');
      await writeFile(path, bytes);
      await assert.rejects(openSafetensors(path), { code: 'INVALID_SAFETENSORS', message });
    });
  }

  it('more tensors than the limit', () => {
    const entries = ['a', 'b', 'c'].map((name) => `"${name}":${one}`);
    const parsed = (count: number) => parseHeaderText(`{${entries.slice(0, count).join(',')}}`, { maxTensors: 2, maxRank: 1 });
    assert.equal(parsed(2).entries.size, 2);
    assert.throws(() => parsed(3), new HeaderSyntaxError('it names more than 2 tensors'));
  });

  thorough('more than 262,144 tensors', () => {
    const empty = entry('F32', '[0]', '[0,0]');
    const header = `{${Array.from({ length: (1 << 18) + 1 }, (_, i) => `"${i}":${empty}`).join(',')}}`;
    assert.throws(() => decodeTensors(file(header), 'it'), { code: 'INVALID_SAFETENSORS', message: /more than 262144 tensors/ });
  });

  it('a file that is not there', async () => {
    await assert.rejects(openSafetensors(join(dir, 'absent.safetensors')), { code: 'NOT_FOUND' });
    await assert.rejects(readTensors(join(dir, 'absent.safetensors')), { code: 'NOT_FOUND' });
  });

  it('a directory in place of a file', async () => {
    await assert.rejects(openSafetensors(dir), { code: 'IO_ERROR', message: /regular file/ });
  });

  it('to read a tensor that is not there, or of a type that holds no weights', async () => {
    const path = join(dir, 'types.safetensors');
    await writeFile(path, file(`{"a":${entry('F8_E4M3', '[4]', '[0,4]')}}`, 4));
    const opened = await openSafetensors(path);
    await assert.rejects(opened.chunks('b').next(), { code: 'MISSING_TENSOR', message: /no tensor b/ });
    await assert.rejects(opened.chunks('a').next(), { code: 'UNSUPPORTED_CHECKPOINT', message: /a is F8_E4M3; expected F32, F16 or BF16/ });
    await opened.close();
    assert.throws(() => decodeTensors(file(`{"a":${entry('U64', '[1]', '[0,8]')}}`, 8), 'it'), { code: 'INVALID_DTYPE', message: /U64/ });
  });

  it('to go on when the file shrinks while it is read', async () => {
    const path = join(dir, 'shrinks.safetensors');
    await writeFile(path, encodeTensors({ a: f32([4], [1, 2, 3, 4]) }));
    const opened = await openSafetensors(path);
    await writeFile(path, '');
    await assert.rejects(opened.chunks('a').next(), { code: 'INVALID_SAFETENSORS', message: /cut while being read/ });
    await opened.close();
  });
});

const index = (map: unknown): string => JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });
const shard = encodeTensors({ a: f32([2], [1, 2]) });

type Directory = Readonly<Record<string, string | Uint8Array>>;

const malformedDirectories: readonly (readonly [name: string, files: Directory, code: string, message: RegExp])[] = [
  ['an empty directory', {}, 'NOT_FOUND', /no model.safetensors and no model.safetensors.index.json/],
  ['a pickle checkpoint', { 'pytorch_model.bin': 'x' }, 'UNSUPPORTED_CHECKPOINT', /pytorch_model.bin.*save_pretrained/],
  ['a sharded pickle checkpoint', { 'pytorch_model.bin.index.json': '{}' }, 'UNSUPPORTED_CHECKPOINT', /safe_serialization=True/],
  ['an original Llama checkpoint', { 'consolidated.00.pth': 'x' }, 'UNSUPPORTED_CHECKPOINT', /consolidated.00.pth/],
  ['a TensorFlow checkpoint', { 'tf_model.h5': 'x' }, 'UNSUPPORTED_CHECKPOINT', /tf_model.h5/],
  ['a GGUF file', { 'model.gguf': 'x' }, 'UNSUPPORTED_CHECKPOINT', /model.gguf/],
  ['an index that is no JSON', { 'model.safetensors.index.json': '{' }, 'INVALID_SAFETENSORS', /expected JSON/],
  ['an index that is null', { 'model.safetensors.index.json': 'null' }, 'INVALID_SAFETENSORS', /weight_map/],
  ['an index without weight_map', { 'model.safetensors.index.json': '{}' }, 'INVALID_SAFETENSORS', /weight_map/],
  ['an index whose weight_map is a list', { 'model.safetensors.index.json': index([]) }, 'INVALID_SAFETENSORS', /weight_map/],
  ['an index of nothing', { 'model.safetensors.index.json': index({}) }, 'INVALID_SAFETENSORS', /expected 1..2048 shards, got 0/],
  ['a shard that is a number', { 'model.safetensors.index.json': index({ a: 1 }) }, 'INVALID_SAFETENSORS', /a: expected the name/],
  [
    'a shard above the directory',
    { 'model.safetensors.index.json': index({ a: '../x.safetensors' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  [
    'a shard at an absolute path',
    { 'model.safetensors.index.json': index({ a: '/etc/x.safetensors' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  [
    'a shard in a subdirectory',
    { 'model.safetensors.index.json': index({ a: 'b/x.safetensors' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  [
    'a shard behind a backslash',
    { 'model.safetensors.index.json': index({ a: '..\\x.safetensors' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  [
    'a shard with a NUL in its name',
    { 'model.safetensors.index.json': index({ a: 'x\u0000.safetensors' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  [
    'a shard that is a hidden file',
    { 'model.safetensors.index.json': index({ a: '.x.safetensors' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  [
    'a shard that is no safetensors file',
    { 'model.safetensors.index.json': index({ a: 'x.bin' }) },
    'INVALID_SAFETENSORS',
    /same directory/,
  ],
  ['a shard that is not there', { 'model.safetensors.index.json': index({ a: 'x.safetensors' }) }, 'NOT_FOUND', /x.safetensors/],
  [
    'a shard without the tensor',
    { 'model.safetensors.index.json': index({ b: 'x.safetensors' }), 'x.safetensors': shard },
    'MISSING_TENSOR',
    /holds b; it does not/,
  ],
  [
    'a shard with a tensor of another shard',
    {
      'model.safetensors.index.json': index({ a: 'x.safetensors', b: 'y.safetensors' }),
      'x.safetensors': shard,
      'y.safetensors': encodeTensors({ a: f32([2], [3, 4]), b: f32([1], [5]) }),
    },
    'INVALID_SAFETENSORS',
    /y.safetensors: holds a, which .* puts in x.safetensors/,
  ],
  [
    'a truncated shard',
    { 'model.safetensors.index.json': index({ a: 'x.safetensors' }), 'x.safetensors': shard.subarray(0, shard.length - 1) },
    'INVALID_SAFETENSORS',
    /truncated/,
  ],
];

describe('safetensors: refuses a checkpoint directory with', () => {
  for (const [name, files, code, message] of malformedDirectories) {
    it(name, async () => {
      const dir = await mkdtemp(join(tmpdir(), 'cutlayer-checkpoint-'));
      for (const [path, content] of Object.entries(files)) await writeFile(join(dir, path), content);
      await assert.rejects(openCheckpoint(dir), { code, message });
      await rm(dir, { recursive: true });
    });
  }

  it('a name that leads nowhere', async () => {
    await assert.rejects(openCheckpoint(join(tmpdir(), 'cutlayer-no-such-directory')), { code: 'NOT_FOUND' });
  });
});
