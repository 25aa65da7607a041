/** The federation service as grpc-js wants it: its definition, for a server and for a channel. */
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js';
import type { ProtoGrpcType } from './generated/federation.js';
import { loadProto } from './proto.js';

type Loaded = ProtoGrpcType['cutlayer']['v1']['Federation'];

let loaded: Loaded | undefined;

/** The client constructor of `cutlayer.v1.Federation`, loaded once; `service` is its definition. */
export function loadFederationService(): Loaded {
  if (loaded === undefined) {
    const object: GrpcObject = loadPackageDefinition(loadProto('cutlayer/v1/federation.proto'));
    // The generated types describe exactly what loadPackageDefinition returns for this file.
    loaded = (object as unknown as ProtoGrpcType).cutlayer.v1.Federation;
  }
  return loaded;
}

/** Full name of the service, for the health service and metrics. */
export const FEDERATION_SERVICE = 'cutlayer.v1.Federation';
