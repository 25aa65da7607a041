import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { layOut } from '../../src/safetensors/layout.js';
import { CHUNK_ELEMENTS, openSafetensors } from '../../src/safetensors/reader.js';
import { decodeTensors, encodeTensors, readTensors, writeTensors } from '../../src/safetensors/tensors-file.js';
import { createSafetensors } from '../../src/safetensors/writer.js';
import { f32, type Tensor, tensor } from '../../src/tensor/tensor.js';

describe('safetensors: round trips', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-safetensors-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('gives back any tensors under any names, in order, with their metadata', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
      .filter((text) => text !== '__metadata__' && text !== '__proto__');
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
    const value = shape.map((dims): Tensor => {
      const count = dims.reduce((product, dim) => product * dim, 1);
      return f32(
        dims,
        Float32Array.from({ length: count }, (_, i) => Math.fround(i * 0.1 - 1)),
      );
    });
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 6 }), fc.dictionary(name, fc.string(), { maxKeys: 3 }), (tensors, metadata) => {
        const read = decodeTensors(encodeTensors(tensors, metadata), 'it');
        assert.deepEqual(new Map(Object.entries(tensors)), read.tensors);
        for (const [key, text] of Object.entries(metadata)) assert.equal(read.metadata.get(key), text);
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  it('keeps float64, int64 and int32, and widens F16 and BF16 exactly', () => {
    const tensors = {
      a: tensor('float64', [2], Float64Array.of(Math.PI, -0)),
      b: tensor('int64', [1, 2], BigInt64Array.of(-1n, 2n ** 62n)),
      c: tensor('int32', [], Int32Array.of(-5)),
    };
    assert.deepEqual(decodeTensors(encodeTensors(tensors), 'it').tensors, new Map(Object.entries(tensors)));
    const { head } = layOut([
      { name: 'h', dtype: 'F16', shape: [2] },
      { name: 'b', dtype: 'BF16', shape: [2] },
    ]);
    const bits = Uint8Array.from([...head, 0x00, 0x3e, 0x01, 0x80, 0xc0, 0x3f, 0x80, 0xff]); // 1.5, -2^-24; 1.5, -infinity
    const { tensors: widened } = decodeTensors(bits, 'it');
    assert.deepEqual([...widened.get('h')!.data], [1.5, -(2 ** -24)]);
    assert.deepEqual([...widened.get('b')!.data], [1.5, Number.NEGATIVE_INFINITY]);
  });

  it('reads tensors in bounded chunks that together are the tensor', async () => {
    const path = join(dir, 'long.safetensors');
    const long = Float32Array.from({ length: CHUNK_ELEMENTS + 5 }, (_, i) => i % 1000);
    await writeTensors(path, { first: f32([3], [7, 8, 9]), long: f32([long.length], long) });
    const file = await openSafetensors(path);
    const lengths: number[] = [];
    let at = 0;
    for await (const chunk of file.chunks('long')) {
      lengths.push(chunk.length);
      assert.ok(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).equals(Buffer.from(long.buffer, 4 * at, chunk.byteLength)));
      at += chunk.length;
    }
    await file.close();
    assert.deepEqual(lengths, [CHUNK_ELEMENTS, 5]);
  });

  it('streams a file whose data begins at the asked alignment and whose digest is that of its bytes', async () => {
    const path = join(dir, 'streamed.safetensors');
    const layout = layOut([{ name: 'a', dtype: 'F32', shape: [2, 2] }, { name: 'b', dtype: 'F32', shape: [1] }], { alignment: 4096 }); // biome-ignore format: short
    const writer = await createSafetensors(path, layout);
    await writer.append(Float32Array.of(1, 2, 3));
    await writer.append(Float32Array.of(4, 5));
    const { bytes, sha256 } = await writer.finish();
    const written = await readFile(path);
    assert.equal(layout.tensors.get('a')!.offset, 4096);
    assert.equal(bytes, 4096 + 20);
    assert.equal(sha256, createHash('sha256').update(written).digest('hex'));
    const { tensors } = await readTensors(path);
    assert.deepEqual([...tensors.get('a')!.data, ...tensors.get('b')!.data], [1, 2, 3, 4, 5]);
  });

  it('refuses to finish a file that lacks data, to take more than the layout has, and to overwrite', async () => {
    const path = join(dir, 'short.safetensors');
    const layout = layOut([{ name: 'a', dtype: 'F32', shape: [2] }]);
    const writer = await createSafetensors(path, layout);
    await writer.append(Float32Array.of(1));
    await assert.rejects(writer.finish(), { code: 'INVALID_SAFETENSORS', message: /only \d+ came/ });
    await assert.rejects(writer.append(Float32Array.of(1, 2)), { code: 'INVALID_SAFETENSORS', message: /more came/ });
    await writer.abandon();
    await assert.rejects(createSafetensors(path, layout), { code: 'EEXIST' });
    assert.throws(() => layOut([{ name: 'a', dtype: 'F32', shape: [1] }, { name: 'a', dtype: 'F32', shape: [1] }]), { message: /twice/ }); // biome-ignore format: short
  });
});
