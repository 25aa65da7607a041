/** TensorBoard's event files: checksums, framing and events, read back from the bytes. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32c, maskedCrc32c } from '../../../clients/typescript/training/tensorboard/crc32c.js';
import { encodeEvent } from '../../../clients/typescript/training/tensorboard/event.js';
import { TensorBoardLog } from '../../../clients/typescript/training/tensorboard/tensorboard-log.js';
import { encodeRecord } from '../../../clients/typescript/training/tensorboard/tf-record.js';
import { decodeEvent, decodeRecords } from '../../support/tensorboard-reader.js';

describe('CRC-32C', () => {
  // RFC 3720 appendix B.4; the RFC prints the bytes in the order in which they are sent.
  const vectors: readonly (readonly [string, Uint8Array, number])[] = [
    ['32 bytes of zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 incrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 decrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
  ];
  for (const [name, bytes, wanted] of vectors) {
    it(`of ${name} is RFC 3720's`, () => assert.equal(crc32c(bytes), wanted));
  }

  it("is masked as TensorFlow's crc32c.h does it", () => {
    // Rotated by 15 and 0xa282ead8 added, worked out by hand for crc 0xe3069283.
    const crc = 0xe3069283n;
    const rotated = ((crc >> 15n) | (crc << 17n)) & 0xffffffffn;
    assert.equal(maskedCrc32c(Buffer.from('123456789')), Number((rotated + 0xa282ead8n) & 0xffffffffn));
  });
});

describe('TFRecord', () => {
  const records = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('three')];
  const file = Buffer.concat(records.map(encodeRecord));

  it('gives back what was written', () => {
    assert.deepEqual(
      decodeRecords(file).map((record) => Buffer.from(record).toString()),
      ['one', '', 'three'],
    );
  });

  it('passes over a last record that a killed process left unfinished', () => {
    for (const cut of [1, 5, 12, 20]) assert.equal(decodeRecords(file.subarray(0, file.length - cut)).length, 2, `${cut} bytes less`);
  });

  it('refuses a changed byte, in the length and in the data', () => {
    for (const at of [0, 12]) {
      const changed = Buffer.from(file);
      changed[at]! ^= 1;
      assert.throws(() => decodeRecords(changed), { message: /checksum/ });
    }
  });
});

describe('TensorBoard events', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-events-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const eventsOf = async (name: string) => decodeRecords(await readFile(join(dir, name))).map(decodeEvent);

  it("have TensorBoard's field numbers", () => {
    const bytes = Buffer.from(encodeEvent({ wallTime: 1.5, step: 300, summary: { value: [{ tag: 'a', simpleValue: 0.25 }] } }));
    // double 1, varint 2, message 5 { message 1 { string 1, float 2 } }
    assert.equal(bytes.toString('hex'), '09000000000000f83f10ac022a0a0a080a0161150000803e');
  });

  it('say that a value is 0, which is not the same as no value', () => {
    const bytes = Buffer.from(encodeEvent({ wallTime: 1.5, step: 1, summary: { value: [{ tag: 'a', simpleValue: 0 }] } }));
    assert.equal(bytes.toString('hex'), '09000000000000f83f10012a0a0a080a01611500000000');
    assert.equal(decodeEvent(bytes).summary!.value[0]!.simpleValue, 0);
  });

  it('are in the file as soon as they were given, after the version of the format', async () => {
    const log = await TensorBoardLog.open(dir, 0, () => 1_700_000_000_500);
    await log.scalars(1, { 'train/loss': 2.5, 'train/gradNorm': 0.5 });
    const [name] = await readdir(dir);
    assert.match(name!, /^events\.out\.tfevents\.1700000000\./);
    assert.deepEqual(await eventsOf(name!), [
      { wallTime: 1_700_000_000.5, fileVersion: 'brain.Event:2' },
      {
        wallTime: 1_700_000_000.5,
        step: 1,
        summary: {
          value: [
            { tag: 'train/loss', simpleValue: 2.5 },
            { tag: 'train/gradNorm', simpleValue: 0.5 },
          ],
        },
      },
    ]);
    await log.close();
  });

  it('of a resumed run come in a later file, which voids what was written after its step', async () => {
    const now = () => 1_700_000_000_000;
    await (await TensorBoardLog.open(dir, 0, now)).close();
    await (await TensorBoardLog.open(dir, 8, now)).close();
    const names = (await readdir(dir)).sort();
    assert.equal(names.length, 2);
    const [, restart] = await eventsOf(names[1]!);
    assert.deepEqual({ step: restart!.step, sessionLog: restart!.sessionLog }, { step: 9, sessionLog: { status: 1 } });
  });

  it('that cannot be written are an error that names the file', async () => {
    const log = await TensorBoardLog.open(dir, 0);
    await log.close();
    await assert.rejects(log.scalars(1, { loss: 1 }), {
      code: 'IO_ERROR',
      message: /events\.out\.tfevents\.\S+: cannot be written \(EBADF/,
    });
  });
});
