/** The texts that the documents' tests read. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';

/** Files below some folders whose names end so, relative to the package. */
function filesOf(folders: readonly string[], ending: RegExp): string[] {
  return folders
    .flatMap((folder) => (readdirSync(join(packageRoot(), folder), { recursive: true }) as string[]).map((name) => join(folder, name)))
    .filter((file) => ending.test(file) && !/(^|\/)(node_modules|dist|out|out-federated|generated|fixtures)\//.test(file));
}

/** Everything in Markdown that people read. */
export const documentFiles = (): string[] => ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...filesOf(['docs', 'demo', 'clients'], /\.md$/)];

/** Every file whose text ships, or prints, or renders. */
export const shippedFiles = (): string[] => [
  ...documentFiles(),
  'package.json',
  ...filesOf(['src', 'clients', 'proto', 'demo', 'bench'], /\.(ts|js|mjs|proto|py|toml|html|css|json|ya?ml)$/),
];
