/** Calls are repeated by the error table, for a bounded time, and tokens are renewed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RetryEnvironment, retryDelayMs, retrying } from '../../../clients/typescript/connection/retry.js';
import { tokenSource } from '../../../clients/typescript/connection/token-source.js';
import { connect } from '../../../clients/typescript/index.js';
import { CutlayerError, type ErrorCode, errorTable } from '../../../src/errors.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { startTestGateway } from '../../support/test-gateway.js';

/** A clock that stands still but for sleeping. */
function frozen(): RetryEnvironment & { readonly slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => slept.reduce((sum, ms) => sum + ms, 0),
    sleep: async (ms) => {
      slept.push(ms);
    },
    random: () => 1,
  };
}

const failing = (times: number, code: ErrorCode) => {
  let calls = 0;
  const attempt = async () => {
    calls += 1;
    if (calls <= times) throw new CutlayerError(code, `failure ${calls}`);
    return calls;
  };
  return { attempt, calls: () => calls };
};

describe('retrying', () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    const repeated = errorTable[code].retry === 'same';
    it(`${repeated ? 'repeats' : 'does not repeat'} ${code}`, async () => {
      const { attempt, calls } = failing(1, code);
      assert.equal(new CutlayerError(code, '').retry === 'same', repeated);
      await retrying(attempt, {}, { environment: frozen() }).catch((error: unknown) => {
        assert.ok(!repeated && error instanceof CutlayerError && error.code === code);
      });
      assert.equal(calls(), repeated ? 2 : 1);
    });
  }

  it('leaves an evicted step to its model, which sends the Forward again first', () => {
    const codes = Object.keys(errorTable) as ErrorCode[];
    assert.deepEqual(
      codes.filter((code) => errorTable[code].retry === 'resendForward'),
      ['STEP_EVICTED'],
    );
  });

  it('doubles the delay up to the longest, with jitter of a half', async () => {
    const environment = frozen();
    await retrying(failing(6, 'UNAVAILABLE').attempt, { initialDelayMs: 100, maxDelayMs: 1000 }, { environment });
    assert.deepEqual(environment.slept, [100, 200, 400, 800, 1000, 1000]);
    assert.equal(
      retryDelayMs(1, { initialDelayMs: 100 }, () => 0),
      50,
    );
    assert.equal(
      retryDelayMs(5000, { maxDelayMs: 700 }, () => 1),
      700,
    );
  });

  it('rides out an outage shorter than its time and gives up after it, saying so', async () => {
    const policy = { retryForMs: 60_000 };
    assert.equal(await retrying(failing(10, 'UNAVAILABLE').attempt, policy, { environment: frozen() }), 11);
    const outage = retrying(failing(1e9, 'UNAVAILABLE').attempt, policy, { environment: frozen() });
    await assert.rejects(outage, { code: 'UNAVAILABLE', message: /gave up after repeating the call for 60 s/ });
  });

  describe('of a call that the server says when to repeat', () => {
    const asking = (times: number, retryAfterMs: number, then: ErrorCode = 'UNAVAILABLE') => {
      let calls = 0;
      return async () => {
        calls += 1;
        if (calls <= times) throw new CutlayerError('RATE_LIMITED', 'too fast', { details: { retryAfterMs } });
        if (calls === times + 1) throw new CutlayerError(then, 'failure');
        return calls;
      };
    };

    it('waits as long as it is asked, and a little more', async () => {
      const environment = frozen();
      await retrying(asking(2, 30_000), { initialDelayMs: 100 }, { environment });
      assert.deepEqual(environment.slept, [30_100, 30_100, 100]);
    });

    it('takes none of the time for outages', async () => {
      const environment = frozen();
      assert.equal(await retrying(asking(20, 60_000), { retryForMs: 1000 }, { environment }), 22);
    });

    it('waits in its time for outages at a limit that is no rate', async () => {
      const full = async () => {
        throw new CutlayerError('QUEUE_FULL', 'full', { details: { retryAfterMs: 1000 } });
      };
      const environment = frozen();
      await assert.rejects(retrying(full, { retryForMs: 5000 }, { environment }), { message: /gave up after repeating the call for 5 s/ });
      assert.deepEqual(environment.slept.slice(0, 4), [1000, 1000, 1000, 1600]);
    });

    it('gives up at once when the wait is longer than it may be, saying both', async () => {
      const environment = frozen();
      const work = retrying(asking(1, 7_200_000), {}, { environment });
      await assert.rejects(work, { code: 'RATE_LIMITED', message: /asks to wait 7200 s; a call waits at most 3600 s in all/ });
      assert.deepEqual(environment.slept, []);
    });

    it('bounds all waits of a call together', async () => {
      const work = retrying(asking(1e9, 60_000), { waitForMs: 600_000 }, { environment: frozen() });
      await assert.rejects(work, { code: 'RATE_LIMITED' });
    });
  });

  it('ends at once when it is cancelled while it waits', async () => {
    const controller = new AbortController();
    const work = retrying(failing(1e9, 'UNAVAILABLE').attempt, {}, { signal: controller.signal, onRetry: () => controller.abort() });
    await assert.rejects(work, { code: 'CANCELLED' });
  });
});

describe('tokens', () => {
  it('come from exactly one place', () => {
    for (const options of [{}, { token: 'a', tokenFile: 'b' }]) {
      assert.throws(() => tokenSource(options), {
        code: 'INVALID_ARGUMENT',
        message: /exactly one of token, tokenFile, tokenProvider and credentials/,
      });
    }
  });

  it('are kept, and fetched again only when a fresh one is wanted', async () => {
    let made = 0;
    const source = tokenSource({ tokenProvider: async () => `token-${++made}` });
    assert.deepEqual(
      [await source(false), await source(false), await source(true), await source(false)],
      ['token-1', 'token-1', 'token-2', 'token-2'],
    );
  });

  it('are read again from their file, and refused without being shown when they are none', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-token-'));
    const file = join(dir, 'token');
    const source = tokenSource({ tokenFile: file });
    await assert.rejects(source(false), { code: 'NOT_FOUND' });
    await writeFile(file, 'abc.def\n');
    assert.equal(await source(false), 'abc.def');
    await writeFile(file, 'secret with spaces');
    await assert.rejects(source(true), (error: Error) => !error.message.includes('secret'));
    await rm(dir, { recursive: true });
  });
});

describe('connect', () => {
  const options = { address: '127.0.0.1:1', token: 'x', retry: { retryForMs: 0 } };

  it('says that nobody answers', async () => {
    await assert.rejects(connect({ ...options, insecure: true }), { code: 'UNAVAILABLE' });
  });

  it('says in words that the gateway has TLS, that it has none, and that a port is not for calls', async () => {
    const [withTls, without] = [await startTestGateway({}), await startTestGateway({ start: { insecure: true } })];
    const retry = { retryForMs: 0 };
    const refused = (address: string, insecure: boolean, message: RegExp) =>
      assert.rejects(connect({ address, insecure, token: 'x', retry }), { code: 'UNAVAILABLE', message });
    try {
      await refused(
        withTls.gateway.listen,
        true,
        /: what listens there ended the connection, as a gateway with TLS does; leave --insecure out/,
      );
      await refused(without.gateway.listen, false, /: what listens there does not speak TLS; .* pass --insecure/);
      await refused(without.gateway.admin, true, /: what listens there does not speak gRPC; use the address of --listen, not of --admin/);
      await refused(without.gateway.admin, false, /does not speak TLS; use the address of --listen, not of --admin/);
    } finally {
      await withTls.close();
      await without.close();
    }
  });

  it('refuses an address without port, a CA file that is not there or is none, and a CA with insecure', async () => {
    await assert.rejects(connect({ ...options, address: 'localhost' }), { code: 'INVALID_ARGUMENT', message: /host:port/ });
    await assert.rejects(connect({ ...options, ca: '/absent/ca.pem' }), { code: 'NOT_FOUND', message: /no CA file/ });
    const notPem = join(packageRoot(), 'package.json');
    await assert.rejects(connect({ ...options, ca: notPem }), { code: 'INVALID_ARGUMENT', message: /package\.json: expected a PEM file/ });
    await assert.rejects(connect({ ...options, ca: 'x', insecure: true }), { code: 'INVALID_ARGUMENT' });
  });
});
