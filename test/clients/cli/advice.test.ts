/** Advice names a flag and a value. */
import assert from 'node:assert/strict';
import { type AdviceFlags, checkFits, withAdvice } from '../../../clients/typescript/cli/train/advice.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';

describe('advice when training fails', () => {
  const flags: AdviceFlags = {
    lr: 0.05,
    method: 'prompt-tuning',
    encoder: 'MLP',
    prefixProjection: false,
    batch: 8,
    accumulation: 2,
    pipeline: 2,
    maxTokens: undefined,
    maxLength: undefined,
    overlong: 'error',
    clip: 1,
    warmup: 0,
    deadline: 120,
    retryFor: 300,
    virtualTokens: 16,
    out: 'run1',
  };
  const run = { totalSteps: 400, maxTokensPerBatch: 4096, longest: 300 };
  const adviceOn = (code: ErrorCode, changed: Partial<AdviceFlags> = {}, details = {}) => {
    const error = withAdvice(new CutlayerError(code, 'what went wrong', { details }), { ...flags, ...changed }, run);
    assert.equal(error.code, code);
    assert.deepEqual(error.details, details);
    return error.message.split('\n');
  };

  it('of a run that cannot be resumed names the flag as it was, and how to go on from its adapter', () => {
    const checkpoint = 'run1/checkpoints/step-00000025';
    const another = `  - begin another run from what it learned: --init-adapter ${checkpoint} and a new --out`;
    assert.deepEqual(adviceOn('INVALID_CONFIG', {}, { setting: 'batchSize', before: '4', checkpoint }), [
      'what went wrong',
      '  - go on as it was: --batch 4',
      another,
    ]);
    const data = adviceOn('INVALID_CONFIG', {}, { setting: 'data', before: 'f00d', checkpoint });
    assert.deepEqual(data.slice(1), ['  - go on with the --data that it began with; they are in run1/config.yaml', another]);
    assert.deepEqual(adviceOn('INVALID_CONFIG'), ['what went wrong']);
    assert.match(adviceOn('ADAPTER_MISMATCH')[1]!, /--method and sizes that the run began with; they are in run1\/config.yaml/);
    assert.match(adviceOn('ALREADY_EXISTS')[1]!, /the same command plus --resume/);
  });

  it('of divergence lowers the rate to a stated value, clips, warms up and starts from the last good checkpoint', () => {
    assert.deepEqual(adviceOn('DIVERGED', {}, { sinceStep: 30, checkpoint: 'run1/checkpoints/step-00000025' }), [
      'what went wrong',
      '  - lower the learning rate: --lr 0.01 (it was 0.05)',
      '  - clip more tightly: --clip 0.25 (it was 1)',
      '  - let the rate rise slowly: --warmup 20',
      '  - start from what was good: --init-adapter run1/checkpoints/step-00000025 and a new --out',
    ]);
    const slow = adviceOn('DIVERGED', { lr: 0.009, clip: 0, warmup: 5 }, { sinceStep: 30 });
    assert.deepEqual(slow.slice(1), ['  - lower the learning rate: --lr 0.003 (it was 0.009)', '  - clip the gradient: --clip 1']);
    assert.match(adviceOn('DIVERGED', { lr: 0.009 })[1]!, /--lr 0\.0009 /, 'a loss that is not finite at once');
  });

  it('of a gateway without memory keeps the examples of an optimizer step', () => {
    assert.deepEqual(adviceOn('STEP_EVICTED').slice(2), [
      '  - keep fewer steps there: --pipeline 1 (it was 2)',
      '  - smaller micro-batches, as many examples per step: --batch 4 --accumulation 4 (it was 8 x 2), or by rows: --max-tokens 2048',
    ]);
  });

  it('with single sequences already shortens the examples', () => {
    assert.deepEqual(adviceOn('OUT_OF_MEMORY', { batch: 1, pipeline: 1 }).slice(1), [
      '  - shorter examples: --max-length 150 with --overlong truncate or skip',
    ]);
  });

  it('is there for every limit that a batch can meet', () => {
    for (const [code, flag] of [
      ['LIMIT_EXCEEDED', /--virtual-tokens 8/],
      ['MESSAGE_TOO_LARGE', /--wire bf16/],
      ['QUEUE_FULL', /--retry-for 1200/],
      ['DEADLINE_EXCEEDED', /--deadline 480/],
      ['OUT_OF_MEMORY', /--batch 4/],
    ] as const) {
      assert.match(adviceOn(code).join('\n'), flag);
    }
    assert.doesNotMatch(adviceOn('LIMIT_EXCEEDED', { method: 'lora' }).join('\n'), /--virtual-tokens/);
  });

  it('leaves other errors as they are, and knows a failed allocation', () => {
    assert.deepEqual(adviceOn('TOKEN_EXPIRED'), ['what went wrong']);
    for (const message of [
      'Array buffer allocation failed',
      'std::bad_alloc',
      'Failed to allocate memory for requested buffer of size 9',
    ]) {
      assert.equal(withAdvice(new RangeError(message), flags, run).code, 'OUT_OF_MEMORY');
    }
    assert.equal(withAdvice(new Error('else'), flags, run).code, 'INTERNAL');
  });

  it('tells before the first step which examples no batch can hold', () => {
    const examples = [10, 50, 70].map((length, at) => ({ tokenIds: { length }, source: `d.jsonl:${at + 1}` }));
    assert.doesNotThrow(() => checkFits(examples, { maxTokensPerBatch: 70 }, undefined));
    assert.throws(() => checkFits(examples, { maxTokensPerBatch: 40 }, undefined), {
      code: 'LIMIT_EXCEEDED',
      message:
        /d\.jsonl:2: 50 tokens, but a batch may have 40 rows \(the gateway's limit\); 2 of 3 examples .* the longest has 70: pass --max-length 40/,
    });
    assert.throws(() => checkFits(examples, { maxTokensPerBatch: 40 }, 40), { message: /\(--max-tokens 40\).*or --max-tokens 70/ });
  });
});
