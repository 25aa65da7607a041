import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type Logger } from '../../../src/server/observability/log.js';

/** What a logger writes. */
function written(use: (log: Logger) => void): string {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-log-'));
  const fd = openSync(join(dir, 'log'), 'w');
  try {
    use(createLogger({ level: 'trace', fd }));
    return readFileSync(join(dir, 'log'), 'utf8');
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true });
  }
}

describe('log', () => {
  it('strikes out tokens, tensors and texts that slip into it, however deep a caller put them', () => {
    const secret = 'SECRET-VALUE';
    const text = written((log) => {
      log.info({ token: secret, authorization: secret }, 'top');
      log.info({ request: { hiddenStates: secret, softPrompt: secret, text: secret } }, 'nested');
      log.info({ call: { request: { data: secret, cotangent: secret, labels: secret } } }, 'deeper');
    });
    assert.doesNotMatch(text, /SECRET-VALUE/);
    assert.equal(text.match(/struck out/g)?.length, 8);
  });

  it('writes one JSON object a line, with a time and without the name of the machine', () => {
    const [line] = written((log) => log.warn({ inFlight: 2 }, 'hello')).split('\n');
    const entry = JSON.parse(line!);
    assert.deepEqual(Object.keys(entry).sort(), ['inFlight', 'level', 'msg', 'time']);
    assert.ok(Number.isFinite(Date.parse(entry.time)));
  });
});
