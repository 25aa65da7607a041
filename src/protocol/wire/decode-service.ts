/** The decode service for grpc-js, and the bounds of its messages. */
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js';
import type { DecodeDefinition } from './generated/cutlayer/v1/Decode.js';
import type { ProtoGrpcType } from './generated/decode.js';
import type { MessageLayout } from './message-layout.js';
import { loadProto } from './proto.js';
import { requestLayouts } from './request-layouts.js';
import { tensorBounds } from './split-layouts.js';

type Loaded = ProtoGrpcType['cutlayer']['v1']['Decode'];

const FILE = 'cutlayer/v1/decode.proto';

let loaded: Loaded | undefined;

/** Full name of the service. */
export const DECODE_SERVICE = 'cutlayer.v1.Decode';

/** The client constructor of the service, loaded once; `service` is its definition. */
export function loadDecodeService(): Loaded {
  if (loaded === undefined) {
    const object: GrpcObject = loadPackageDefinition(loadProto(FILE));
    // The generated types describe exactly what loadPackageDefinition returns for this file.
    loaded = (object as unknown as ProtoGrpcType).cutlayer.v1.Decode;
  }
  return loaded;
}

/** The layout of a stream's messages. @param maxTokens the gateway's limit of rows in a message */
export const decodeRequestLayout = (maxTokens: number): MessageLayout =>
  requestLayouts<DecodeDefinition>(FILE, DECODE_SERVICE, { ...tensorBounds, AppendRows: { positions: { maxCount: maxTokens } } }).Decode;
