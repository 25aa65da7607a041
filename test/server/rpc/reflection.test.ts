/** Server reflection as a tool uses it: grpc-js's client, with nothing known of the server but its reflection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Client, credentials, loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import type { ServerReflectionRequest } from '../../../src/protocol/wire/generated/grpc/reflection/v1/ServerReflectionRequest.js';
import type { ServerReflectionResponse__Output } from '../../../src/protocol/wire/generated/grpc/reflection/v1/ServerReflectionResponse.js';
import { loadProto } from '../../../src/protocol/wire/proto.js';
import { fromServiceError } from '../../../src/protocol/wire/status.js';
import { bearer, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const METHODS = {
  v1: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  v1alpha: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
} as const;

describe('server reflection', () => {
  let gateway: TestGateway | undefined;
  afterEach(() => gateway?.close());

  async function ask(path: string, requests: readonly ServerReflectionRequest[]): Promise<readonly ServerReflectionResponse__Output[]> {
    const { requestSerialize, responseDeserialize } = (
      loadProto('grpc/reflection/v1/reflection.proto')['grpc.reflection.v1.ServerReflection'] as ServiceDefinition
    ).ServerReflectionInfo!;
    const client = new Client(gateway!.gateway.listen, credentials.createSsl(gateway!.ca), {
      'grpc.ssl_target_name_override': 'localhost',
    });
    try {
      const metadata = bearer(await gateway!.token());
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, { deadline: Date.now() + 60_000 });
      const answers: ServerReflectionResponse__Output[] = [];
      for (const request of requests) {
        call.write(request);
        answers.push((await once(call, 'data'))[0] as ServerReflectionResponse__Output);
      }
      call.end();
      const [end] = (await once(call.resume(), 'status')) as [{ code: number }];
      assert.equal(end.code, 0);
      return answers;
    } catch (caught) {
      throw fromServiceError(caught);
    } finally {
      client.close();
    }
  }

  for (const [version, path] of Object.entries(METHODS)) {
    it(`tells a client the services and their descriptors (${version})`, async () => {
      gateway = await startTestGateway({ start: { reflection: true } });
      const [list, split, method, none, file, extension, empty] = await ask(path, [
        { listServices: '' },
        { fileContainingSymbol: 'cutlayer.v1.Split' },
        { fileContainingSymbol: 'cutlayer.v1.Split.Forward' },
        { fileContainingSymbol: 'cutlayer.v1.Nothing' },
        { fileByFilename: 'cutlayer_v1.proto' },
        { fileContainingExtension: { containingType: 'cutlayer.v1.Tensor', extensionNumber: 1 } },
        {},
      ]);
      const services = list!.listServicesResponse!.service.map(({ name }) => name);
      assert.ok(services.includes('cutlayer.v1.Split'));
      assert.deepEqual(services.slice(-2), ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection']);
      const [bytes] = split!.fileDescriptorResponse!.fileDescriptorProto;
      // A client made of what was answered alone knows the service.
      const described = loadFileDescriptorSetFromBuffer(Buffer.concat([Buffer.of(10), varint(bytes!.length), bytes!]));
      const { Forward } = described['cutlayer.v1.Split'] as ServiceDefinition;
      assert.equal(Forward!.path, '/cutlayer.v1.Split/Forward');
      assert.ok(loadPackageDefinition(described).cutlayer);
      assert.deepEqual(method!.fileDescriptorResponse, split!.fileDescriptorResponse);
      assert.deepEqual(file!.fileDescriptorResponse, split!.fileDescriptorResponse);
      assert.equal(file!.originalRequest!.fileByFilename, 'cutlayer_v1.proto');
      assert.deepEqual(
        [none, extension, empty].map((answer) => answer!.errorResponse!.errorCode),
        [5, 5, 3],
      );
    });
  }

  it('is not there unless it is asked for', async () => {
    gateway = await startTestGateway();
    await assert.rejects(ask(METHODS.v1, [{ listServices: '' }]), { code: 'UNIMPLEMENTED' });
  });
});

function varint(value: number): Buffer {
  return value < 128 ? Buffer.of(value) : Buffer.concat([Buffer.of((value % 128) + 128), varint(Math.floor(value / 128))]);
}
