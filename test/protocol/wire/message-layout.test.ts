import assert from 'node:assert/strict';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import type { ErrorCode } from '../../../src/errors.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { type FederationMethod, federationRequestLayouts } from '../../../src/protocol/wire/federation-layouts.js';
import type { SplitDefinition } from '../../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { checkLayout, type FieldLayout, type MessageLayout } from '../../../src/protocol/wire/message-layout.js';
import { type Bounds, requestLayouts } from '../../../src/protocol/wire/request-layouts.js';
import { type SplitMethod, splitRequestLayouts } from '../../../src/protocol/wire/split-layouts.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';

const layouts = splitRequestLayouts(64);
const forward = loadSplitService().service.Forward;

const varint = (value: bigint): number[] => {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return [...out, Number(rest)];
};
const tag = (field: number, wireType: number): number[] => varint(BigInt(field * 8 + wireType));
const lengthDelimited = (field: number, content: readonly number[]): number[] => [
  ...tag(field, 2),
  ...varint(BigInt(content.length)),
  ...content,
];

/** The kind of layout that a field of a proto needs. */
function kindOf({ repeated, resolvedType, type }: protobuf.Field): FieldLayout['kind'] {
  if (resolvedType instanceof protobuf.Type) return repeated ? 'messages' : 'message';
  if (type === 'string') return repeated ? 'strings' : 'string';
  if (repeated) return 'uint32s';
  return type === 'bytes' || type === 'uint32' ? type : 'varint';
}

/** Holds a layout against the type of a proto, and the layouts in it. */
function compare(type: protobuf.Type, layout: MessageLayout): void {
  assert.deepEqual(
    Object.fromEntries(type.fieldsArray.map((field) => [field.id, field.name])),
    Object.fromEntries(Object.entries(layout).map(([id, field]) => [id, field.name])),
    type.name,
  );
  for (const field of type.fieldsArray) {
    const found = layout[field.id]!;
    assert.equal(found.kind, kindOf(field), `${type.name}.${field.name}`);
    if (field.resolvedType instanceof protobuf.Type && 'layout' in found) compare(field.resolvedType, found.layout);
  }
}

describe('message layouts', () => {
  const services = { split: layouts, federation: federationRequestLayouts(16) };
  for (const [service, requests] of Object.entries(services)) {
    it(`name every field of every request of ${service}.proto, with its number and kind`, () => {
      const root = new protobuf.Root();
      root.resolvePath = (_origin, target) => join(packageRoot(), 'proto', target.replace(/^.*proto\//, ''));
      root.loadSync(`cutlayer/v1/${service}.proto`).resolveAll();
      for (const [method, layout] of Object.entries(requests)) compare(root.lookupType(`cutlayer.v1.${method}Request`), layout);
      const methods = root.lookupService(`cutlayer.v1.${service === 'split' ? 'Split' : 'Federation'}`).methodsArray;
      assert.deepEqual(Object.keys(requests).sort(), methods.map(({ name }) => name).sort());
    });
  }

  it('are refused to a service whose lists, or whose bytes, have no bound', () => {
    const layouts = (bounds: Bounds) => requestLayouts<SplitDefinition>('cutlayer/v1/split.proto', 'cutlayer.v1.Split', bounds);
    const one = { maxCount: 1 };
    assert.throws(() => layouts({}), { code: 'INTERNAL', message: /^Tensor\.shape: expected a bound/ });
    assert.throws(() => layouts({ Tensor: { shape: one } }), { code: 'INTERNAL', message: /^Tensor\.data: expected a bound/ });
  });

  it('pass what the generated code writes', () => {
    const request = forward.requestSerialize({
      stepId: 'a',
      backboneDigest: 'b'.repeat(64),
      hiddenStates: encodeTensor(f32([1, 2, 2], [1, 2, 3, 4]), 'int8'),
      lengths: [2],
      softPrompt: encodeTensor(f32([1, 2], [1, 2]), 'f16'),
      positions: [0, 1, 2],
      training: true,
      responseDtype: 'DTYPE_F32',
    });
    assert.doesNotThrow(() => checkLayout(request, layouts.Forward, 'request'));
  });

  const passed: readonly [string, SplitMethod, readonly number[]][] = [
    ['nothing at all', 'GetModel', []],
    [
      'an unknown field of each wire type',
      'GetModel',
      [...tag(99, 0), 5, ...lengthDelimited(98, [1, 2]), ...tag(97, 1), 0, 0, 0, 0, 0, 0, 0, 0, ...tag(96, 5), 0, 0, 0, 0],
    ],
    ['a list that is not packed', 'Forward', [...tag(4, 0), 3, ...tag(4, 0), 4]],
    ['the largest uint32', 'Forward', lengthDelimited(7, varint(4294967295n))],
  ];
  for (const [what, method, bytes] of passed) {
    it(`pass ${what}`, () => {
      assert.doesNotThrow(() => checkLayout(Uint8Array.from(bytes), layouts[method], 'request'));
    });
  }

  const refused: readonly [string, SplitMethod, readonly number[], ErrorCode, RegExp][] = [
    ['a field number of zero', 'GetModel', [0x02, 0x00], 'INVALID_ARGUMENT', /field number/],
    ['a group', 'GetModel', tag(9, 3), 'INVALID_ARGUMENT', /wire type 3/],
    ['wire type 7', 'GetModel', tag(9, 7), 'INVALID_ARGUMENT', /wire type 7/],
    ['a number that never ends', 'GetModel', Array(11).fill(0xff), 'INVALID_ARGUMENT', /10 bytes/],
    ['an end inside a number', 'Forward', [0x80], 'INVALID_ARGUMENT', /ends inside a number/],
    ['an end inside a fixed field', 'GetModel', [...tag(9, 1), 0], 'INVALID_ARGUMENT', /ends inside a field/],
    ['an end inside a text', 'Forward', [...tag(1, 2), 5, 65], 'INVALID_ARGUMENT', /stepId: expected a value of 5 bytes/],
    ['a length of 2^62', 'Forward', [...tag(3, 2), ...varint(1n << 62n)], 'INVALID_ARGUMENT', /hiddenStates: expected a value of/],
    ['a text where a flag belongs', 'Forward', lengthDelimited(8, [65]), 'INVALID_ARGUMENT', /training: expected a varint/],
    ['a number where a tensor belongs', 'Forward', [...tag(3, 0), 1], 'INVALID_ARGUMENT', /hiddenStates: expected a message/],
    ['a fixed32 where a list belongs', 'Forward', [...tag(4, 5), 0, 0, 0, 0], 'INVALID_ARGUMENT', /lengths: expected a list/],
    [
      'a tensor twice',
      'Forward',
      [...lengthDelimited(3, []), ...lengthDelimited(3, [])],
      'INVALID_ARGUMENT',
      /hiddenStates: expected the field at most once/,
    ],
    [
      'a dim of 2^32 that 32 bits would cut to 0',
      'Forward',
      lengthDelimited(3, lengthDelimited(2, varint(1n << 32n))),
      'INVALID_ARGUMENT',
      /hiddenStates\.shape: .*larger/,
    ],
    [
      '17 dims',
      'Backward',
      lengthDelimited(2, lengthDelimited(2, Array(17).fill(1))),
      'LIMIT_EXCEEDED',
      /cotangent\.shape: expected at most 16/,
    ],
    ['more lengths than rows', 'Forward', lengthDelimited(4, Array(65).fill(1)), 'LIMIT_EXCEEDED', /lengths: expected at most 64/],
    [
      'more positions than rows, spread over fields',
      'Forward',
      Array(65)
        .fill([...tag(7, 0), 1])
        .flat(),
      'LIMIT_EXCEEDED',
      /positions: expected at most 64/,
    ],
    [
      'a list whose last number leaves it',
      'Forward',
      [...lengthDelimited(7, [0x80]), 1],
      'INVALID_ARGUMENT',
      /positions: .*ends inside a number/,
    ],
    [
      'a step id of 2,000 bytes',
      'Forward',
      lengthDelimited(1, Array(2000).fill(65)),
      'LIMIT_EXCEEDED',
      /stepId: expected at most 1024 bytes/,
    ],
  ];
  for (const [what, method, bytes, code, message] of refused) {
    it(`refuse ${what}`, () => {
      assert.throws(() => checkLayout(Uint8Array.from(bytes), layouts[method], 'request'), { code, message });
    });
  }

  const federation = federationRequestLayouts(3);
  const refusedByFederation: readonly [string, FederationMethod, readonly number[], ErrorCode, RegExp][] = [
    ['a round that 32 bits would cut to 1', 'Submit', [...tag(2, 0), ...varint(2n ** 32n + 1n)], 'INVALID_ARGUMENT', /round: .*larger/],
    ['a round twice', 'Submit', [...tag(2, 0), 1, ...tag(2, 0), 2], 'INVALID_ARGUMENT', /round: expected the field at most once/],
    [
      'shares for more members than there may be',
      'ShareKeys',
      Array(4).fill(lengthDelimited(3, [])).flat(),
      'LIMIT_EXCEEDED',
      /shares: expected at most 3 values/,
    ],
    ['a share that is no message', 'ShareKeys', lengthDelimited(3, [0x80]), 'INVALID_ARGUMENT', /shares: expected a whole message/],
    [
      'more survivors than members',
      'Confirm',
      lengthDelimited(
        3,
        Array(4)
          .fill(lengthDelimited(2, [65]))
          .flat(),
      ),
      'LIMIT_EXCEEDED',
      /confirmation\.survivors: expected at most 3/,
    ],
    [
      'a survivor of 2,000 bytes',
      'Confirm',
      lengthDelimited(3, lengthDelimited(2, Array(2000).fill(65))),
      'LIMIT_EXCEEDED',
      /confirmation\.survivors: expected at most 1024 bytes/,
    ],
    [
      'a key of 300 bytes',
      'Enlist',
      lengthDelimited(3, lengthDelimited(1, lengthDelimited(2, Array(300).fill(1)))),
      'LIMIT_EXCEEDED',
      /enlistment\.advertisement\.encryptionKey: expected at most 256 bytes/,
    ],
  ];
  for (const [what, method, bytes, code, message] of refusedByFederation) {
    it(`refuse ${what}`, () => {
      assert.throws(() => checkLayout(Uint8Array.from(bytes), federation[method], 'request'), { code, message });
    });
  }
});
