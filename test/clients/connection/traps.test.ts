/** What a client is told where people commonly go wrong: address, token, proxy, clock, certificate. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { type ConnectOptions, connect } from '../../../clients/typescript/connection/connect.js';
import { checkAddress, proxyVariable } from '../../../clients/typescript/connection/server-address.js';
import { tokenSource } from '../../../clients/typescript/connection/token-source.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const noRetry = { retryForMs: 0 };

describe('an address', () => {
  it('is host:port and nothing more', () => {
    for (const right of ['vendor.example:443', '127.0.0.1:50051', '[::1]:0', 'localhost:65535']) checkAddress(right, 'gateway');
    const wrong: readonly (readonly [string, RegExp])[] = [
      [
        'http://vendor.example:80',
        /gateway address: expected host:port, without http:\/\/ \(TLS is used unless --insecure is given\); got "http/,
      ],
      ['https://vendor.example:443', /without https:\/\//],
      ['grpc://vendor.example:443', /without grpc:\/\//],
      ['vendor.example', /such as vendor.example:443/],
      ['vendor.example:443/v1', /expected host:port/],
      ['vendor.example:70000', /expected host:port/],
      [' vendor.example:443', /got " vendor/],
      ['', /got ""/],
    ];
    for (const [address, message] of wrong) assert.throws(() => checkAddress(address, 'gateway'), { code: 'INVALID_ARGUMENT', message });
  });
});

describe('a token that is none', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['Bearer abc.def.ghi', /begins with Bearer; give the token alone/],
    ['', /it is empty/],
    ['undefined', /the word undefined; was the variable set/],
    ['null', /the word null/],
    ['abc def', /no bearer token has/],
    ['"abc"', /no bearer token has/],
  ];
  for (const [token, message] of wrong) {
    it(`is told as what it is: ${JSON.stringify(token)}`, async () => {
      await assert.rejects(tokenSource({ token })(false), { code: 'TOKEN_INVALID', message });
    });
  }
});

describe('a proxy', () => {
  it('is the one that grpc-js takes, and never stands before this machine', () => {
    assert.equal(proxyVariable('vendor.example:443', { http_proxy: 'http://p:1' }), 'http_proxy');
    assert.equal(proxyVariable('vendor.example:443', { https_proxy: 'http://p:1', http_proxy: 'http://q:1' }), 'https_proxy');
    assert.equal(proxyVariable('vendor.example:443', { grpc_proxy: 'http://p:1', no_proxy: 'other.example' }), 'grpc_proxy');
    assert.equal(proxyVariable('vendor.example:443', { http_proxy: 'http://p:1', no_proxy: 'a, example' }), undefined);
    assert.equal(proxyVariable('10.0.0.7:443', { http_proxy: 'http://p:1', no_grpc_proxy: '10.0.0.7' }), undefined);
    for (const own of ['127.0.0.1:1', 'localhost:1', '[::1]:1']) assert.equal(proxyVariable(own, { http_proxy: 'http://p:1' }), undefined);
    assert.equal(proxyVariable('vendor.example:443', { http_proxy: '' }), undefined);
  });
});

describe('a connection', () => {
  let gateway: TestGateway;
  let deaf: Server;
  let nowhere: string;
  const options = async (others: Partial<ConnectOptions> = {}): Promise<ConnectOptions> => ({
    address: gateway.gateway.listen,
    ca: gateway.gateway.caFile!,
    token: await gateway.token(),
    retry: noRetry,
    ...others,
  });

  before(async () => {
    gateway = await startTestGateway();
    deaf = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
    const { port } = deaf.address() as { port: number }; // it listens at a port
    nowhere = `127.0.0.1:${port}`;
  });
  after(async () => {
    deaf?.close();
    await gateway?.close();
  });
  const variables = ['http_proxy', 'https_proxy', 'grpc_proxy'] as const;
  afterEach(() => {
    for (const name of variables) delete process.env[name];
  });

  for (const name of variables) {
    it(`to this machine goes past ${name}`, async () => {
      process.env[name] = `http://${nowhere}`;
      const connection = await connect(await options());
      connection.close();
    });
  }

  it('to another machine names the variable of the proxy that fails', async () => {
    process.env.https_proxy = `http://user:secret@${nowhere}`;
    await assert.rejects(connect(await options({ address: 'vendor.invalid:443', deadlineMs: 5000 })), (error: Error) => {
      assert.match(error.message, /vendor.invalid:443.* through the proxy that https_proxy names; no_proxy=vendor.invalid goes without it/);
      assert.match(error.message, /vendor.invalid:443 does not answer, through/);
      assert.doesNotMatch(error.message, /secret|undefined/);
      return true;
    });
  });

  it('that is refused says so first', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    await assert.rejects(connect(await options({ address: `127.0.0.1:${port}` })), {
      code: 'UNAVAILABLE',
      message: new RegExp(`^gateway 127\\.0\\.0\\.1:${port}: nothing listens there, or it refuses connections`),
    });
  });

  it('without the CA names the flag', async () => {
    await assert.rejects(connect(await options({ ca: undefined })), { code: 'CERTIFICATE_REJECTED', message: /as CA: --ca FILE/ });
  });

  it('with an expired token says both clocks', async () => {
    const token = await gateway.token({}, Date.now() - 7_200_000);
    await assert.rejects(connect(await options({ token })), {
      code: 'TOKEN_EXPIRED',
      message:
        /token: expired at \d{4}-.*Z, while the server's clock says \d{4}-.*Z; ask its issuer for a new one; this machine's clock says \d{4}-/,
    });
  });
});
