/** The ONNX message types, loaded from the vendored `proto/onnx/onnx.proto`. */
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packageRoot } from '../../files/package-root.js';

let loaded: protobuf.Type | undefined;

/** `onnx.ModelProto`, with the field names of the proto file. */
export function modelProto(): protobuf.Type {
  loaded ??= new protobuf.Root()
    .loadSync(join(packageRoot(), 'proto', 'onnx', 'onnx.proto'), { keepCase: true })
    .lookupType('onnx.ModelProto');
  return loaded;
}
