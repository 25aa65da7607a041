/** Loads the protos of the package with the one set of options that the generated types were made for. */
import { join } from 'node:path';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { packageRoot } from '../../files/package-root.js';

/** @param files paths below `proto/` */
export function loadProtos(files: readonly string[]): PackageDefinition {
  return loadSync([...files], {
    includeDirs: [join(packageRoot(), 'proto')],
    longs: Number,
    enums: String,
    keepCase: false,
    defaults: true,
    oneofs: true,
  });
}
