/** The split service for grpc-js: its definition for a server, its constructor for a client. */
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js';
import type { ProtoGrpcType } from './generated/split.js';
import { loadProto } from './proto.js';

type Loaded = ProtoGrpcType['cutlayer']['v1']['Split'];

let loaded: Loaded | undefined;

/** The client constructor of `cutlayer.v1.Split`, loaded once; `service` is its definition. */
export function loadSplitService(): Loaded {
  if (loaded === undefined) {
    const object: GrpcObject = loadPackageDefinition(loadProto('cutlayer/v1/split.proto'));
    // The generated types describe exactly what loadPackageDefinition returns for this file.
    loaded = (object as unknown as ProtoGrpcType).cutlayer.v1.Split;
  }
  return loaded;
}

/** Full name of the service, for the health service and metrics. */
export const SPLIT_SERVICE = 'cutlayer.v1.Split';
