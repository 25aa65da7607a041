/**
 * Server reflection: tells tools the services and messages of this server, from the descriptors of
 * its own proto files. Answered only to callers with a token.
 * @see https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
import { status } from '@grpc/grpc-js';
import type { MessageTypeDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import type { ServerReflectionRequest__Output } from '../../protocol/wire/generated/grpc/reflection/v1/ServerReflectionRequest.js';
import type { ServerReflectionResponse } from '../../protocol/wire/generated/grpc/reflection/v1/ServerReflectionResponse.js';
import type { MessageLayout } from '../../protocol/wire/message-layout.js';
import { loadProto } from '../../protocol/wire/proto.js';
import type { RpcService } from './rpc-service.js';
import { streamMethod } from './stream-method.js';
import type { Codec } from './unary.js';

const SERVICE = 'grpc.reflection.v1.ServerReflection';
/** The same messages under an older name. */
const OLD_SERVICE = 'grpc.reflection.v1alpha.ServerReflection';
const METHOD = 'ServerReflectionInfo';
const MAX_NAME_BYTES = 512;
/** Tags of a FileDescriptorProto. */
const NAME_TAG = 10;
const PACKAGE_TAG = 18;

const name = (field: string) => ({ name: field, kind: 'string', maxBytes: MAX_NAME_BYTES }) as const;
const layout: MessageLayout = {
  1: name('host'),
  3: name('fileByFilename'),
  4: name('fileContainingSymbol'),
  5: {
    name: 'fileContainingExtension',
    kind: 'message',
    layout: { 1: name('containingType'), 2: { name: 'extensionNumber', kind: 'varint' } },
  },
  6: name('allExtensionNumbersOfType'),
  7: name('listServices'),
};

/** A proto file: one for each package, as protobufjs describes it. */
interface DescribedFile {
  readonly name: string;
  readonly bytes: Buffer;
  readonly symbols: ReadonlySet<string>;
}

/**
 * Services, and reflection of them where it is wanted.
 * @param protos paths below `proto/` of the files that define them
 */
export function withReflection(
  { reflection }: { readonly reflection: boolean },
  services: readonly RpcService[],
  protos: readonly string[],
): readonly RpcService[] {
  return reflection ? [...services, reflectionService(services, protos)] : services;
}

function reflectionService(services: readonly RpcService[], protos: readonly string[]): RpcService {
  const definitions = loadProto('grpc/reflection/v1/reflection.proto');
  // The file's own service, with the types that are generated of it.
  const definition = (definitions[SERVICE] as ServiceDefinition)[METHOD] as unknown as Codec<
    ServerReflectionRequest__Output,
    ServerReflectionResponse
  >;
  const files = [...describedFiles(loadProto(...protos)), ...describedFiles(definitions)];
  const names = [...services.map((service) => service.name), SERVICE, OLD_SERVICE];
  return {
    name: SERVICE,
    methods: (interceptors) => {
      const open = () => ({ answer: (request: ServerReflectionRequest__Output) => answerTo(request, names, files), end: () => undefined });
      const method = streamMethod({ name: METHOD, definition, layout, open }, interceptors);
      return new Map([SERVICE, OLD_SERVICE].map((service) => [`/${service}/${METHOD}`, method]));
    },
  };
}

function answerTo(
  request: ServerReflectionRequest__Output,
  services: readonly string[],
  files: readonly DescribedFile[],
): ServerReflectionResponse {
  const answer: ServerReflectionResponse = { validHost: request.host, originalRequest: request };
  const file = (found: DescribedFile | undefined): ServerReflectionResponse =>
    found === undefined
      ? refused(status.NOT_FOUND, 'not in this server')
      : { fileDescriptorResponse: { fileDescriptorProto: [found.bytes] } };
  const refused = (errorCode: number, errorMessage: string): ServerReflectionResponse => ({ errorResponse: { errorCode, errorMessage } });
  switch (request.messageRequest) {
    case 'listServices':
      return { ...answer, listServicesResponse: { service: services.map((one) => ({ name: one })) } };
    case 'fileByFilename':
      return { ...answer, ...file(files.find((one) => one.name === request.fileByFilename)) };
    case 'fileContainingSymbol':
      return { ...answer, ...file(files.find(({ symbols }) => symbols.has(request.fileContainingSymbol!))) };
    case 'fileContainingExtension':
    case 'allExtensionNumbersOfType':
      return { ...answer, ...refused(status.NOT_FOUND, 'this server has no extensions') };
    default:
      return { ...answer, ...refused(status.INVALID_ARGUMENT, 'expected one request') };
  }
}

/** The files of a definition, one for each package; each message type names all of them. */
function describedFiles(definitions: PackageDefinition): DescribedFile[] {
  const types = Object.values(definitions) as Partial<MessageTypeDefinition<object, object>>[];
  const buffers = types.find(({ fileDescriptorProtos }) => fileDescriptorProtos !== undefined)?.fileDescriptorProtos ?? [];
  const symbols = Object.entries(definitions).flatMap(([symbol, definition]) => [
    symbol,
    ...('format' in definition ? [] : Object.keys(definition).map((method) => `${symbol}.${method}`)),
  ]);
  return buffers.map((bytes) => {
    const { name, scope } = headOf(bytes);
    return { name, bytes, symbols: new Set(symbols.filter((symbol) => symbol.startsWith(`${scope}.`))) };
  });
}

/** Name and package of a FileDescriptorProto. */
function headOf(bytes: Buffer): { readonly name: string; readonly scope: string } {
  const reader = protobuf.Reader.create(bytes);
  const texts: Record<number, string> = {};
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === NAME_TAG || tag === PACKAGE_TAG) texts[tag] = reader.string();
    else reader.skipType(tag % 8);
  }
  return { name: texts[NAME_TAG] ?? '', scope: texts[PACKAGE_TAG] ?? '' };
}
