import assert from 'node:assert/strict';
import { parseGatewayConfig } from '../../src/gateway/config.js';
import { isLoopback } from '../../src/protocol/wire/loopback.js';

const parse = (options: Record<string, unknown> = {}) => parseGatewayConfig({ backbone: 'b', stateDir: 's', ...options });

describe('gateway configuration', () => {
  it('has defaults that are safe: loopback, TLS, verified weights', () => {
    const config = parse();
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 50051 });
    assert.deepEqual(config.admin, { host: '127.0.0.1', port: 8080 });
    assert.deepEqual([config.insecure, config.verify, config.residualMemory, config.grace], [false, true, 2 ** 30, 30_000]);
    assert.ok(Object.isFrozen(config));
  });

  it('reads addresses, sizes, counts and seconds as people write them', () => {
    const config = parse({ listen: '[::1]:0', admin: 'localhost:9', residualMemory: '1.5GiB', workers: '3', maxDeadline: '2.5' });
    assert.deepEqual(config.listen, { host: '::1', port: 0 });
    assert.deepEqual([config.residualMemory, config.workers, config.maxDeadline], [1.5 * 2 ** 30, 3, 2500]);
    assert.equal(parse({ residualMemory: '512MB' }).residualMemory, 2 ** 29);
  });

  const refused: readonly [string, Record<string, unknown>, RegExp][] = [
    ['an address without a port', { listen: '127.0.0.1' }, /^--listen: expected HOST:PORT/],
    ['a port beyond 65535', { listen: 'localhost:70000' }, /^--listen:/],
    ['an IPv6 address without brackets', { admin: '::1:80' }, /^--admin:/],
    ['a size that is none', { residualMemory: 'lots' }, /^--residual-memory: expected a size/],
    ['a size beyond all memory', { residualMemory: '99999999999999GiB' }, /^--residual-memory:/],
    ['no workers', { workers: '0' }, /^--workers:/],
    ['half a worker', { workers: '1.5' }, /^--workers:/],
    ['words for a number', { maxTokens: 'many' }, /^--max-tokens:/],
    ['a certificate without its key', { tlsCert: 'a.pem' }, /^--tls-cert: .*together/],
    ['a key without its certificate', { tlsKey: 'a.pem' }, /^--tls-cert: .*together/],
    ['no TLS and a certificate', { insecure: true, tlsCert: 'a', tlsKey: 'b' }, /^--insecure:/],
    ['no TLS on all interfaces', { insecure: true, listen: '0.0.0.0:1' }, /^--insecure: expected a loopback address/],
    ['no TLS under a public name', { insecure: true, listen: 'gateway.example:1' }, /^--insecure:/],
    ['external keys without issuer and audience', { jwksUrl: 'https://id.example/jwks' }, /^--jwks-url: expected --issuer and --audience/],
    ['external keys at no web address', { jwksUrl: 'file:///etc/keys', issuer: 'i', audience: 'a' }, /^--jwks-url:/],
    [
      'external keys in the clear',
      { jwksUrl: 'http://id.example/jwks', issuer: 'i', audience: 'a' },
      /^--jwks-url: expected an https address/,
    ],
    ['an unknown log level', { logLevel: 'loud' }, /^--log-level:/],
    ['a day that no month has', { shutdownDate: '2027-02-30' }, /^--shutdown-date: expected a date such as 2027-03-01/],
    ['a time of a day', { shutdownDate: '2027-03-01T10:00' }, /^--shutdown-date:/],
    ['no backbone', { backbone: '' }, /^--backbone:/],
  ];
  for (const [what, options, message] of refused) {
    it(`refuses ${what}, naming the flag`, () => {
      assert.throws(() => parse(options), { code: 'INVALID_OPTION', message });
    });
  }

  it('reads the names of a development certificate', () => {
    assert.deepEqual(parse({ tlsNames: 'gateway,10.0.0.7,fd00::1' }).tlsNames, ['gateway', '10.0.0.7', 'fd00::1']);
    assert.deepEqual(parse().tlsNames, []);
  });

  it('takes external keys in the clear from this machine alone', () => {
    for (const host of ['localhost', '[::1]', '127.0.0.1']) parse({ jwksUrl: `http://${host}:1/jwks`, issuer: 'i', audience: 'a' });
  });

  it('knows loopback addresses from others that look like them', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1']) assert.ok(isLoopback(host), host);
    for (const host of ['0.0.0.0', '::', '127.0.0.1.evil.example', '10.0.0.1', 'localhost.evil.example'])
      assert.ok(!isLoopback(host), host);
  });
});
