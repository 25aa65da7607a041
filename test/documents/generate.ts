/** Writes the generated documents: `npm run generate:docs`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { documents } from './documents.js';

for (const [path, write] of Object.entries(documents)) {
  writeFileSync(join(packageRoot(), path), await write());
  process.stdout.write(`wrote ${path}\n`);
}
