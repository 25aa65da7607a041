/** Loads the package's protos with the options that the generated types were made for. */
import { join } from 'node:path';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { packageRoot } from '../../files/package-root.js';

const loaded = new Map<string, PackageDefinition>();

/** All that a file and its imports define, by full name. Loaded once. @param file below `proto/` */
export function loadProto(file: string): PackageDefinition {
  const before = loaded.get(file);
  if (before !== undefined) return before;
  const definition = loadSync(file, {
    includeDirs: [join(packageRoot(), 'proto')],
    longs: Number,
    enums: String,
    keepCase: false,
    defaults: true,
    oneofs: true,
  });
  loaded.set(file, definition);
  return definition;
}

/** A message type. @param name full name, to which `Sent` and `Received` belong */
export function loadMessageType<Sent extends object, Received>(file: string, name: string): MessageTypeDefinition<Sent, Received> {
  return loadProto(file)[name] as unknown as MessageTypeDefinition<Sent, Received>;
}
