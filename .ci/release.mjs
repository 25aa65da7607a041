// Makes what a release hands out, in .build/release: the tarball, a bill of its materials (CycloneDX) and the sha256 of both.
// Refuses a changed tree, a version that CHANGELOG.md does not name, and a dependency without an exact version.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const { name, version, dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

const changed = run('git', ['status', '--porcelain']).trim();
refuse(changed !== '', `the tree has changes that no commit holds:\n${changed}`);
refuse(!readFileSync('CHANGELOG.md', 'utf8').includes(`${version}`), `CHANGELOG.md says nothing of ${version}`);
for (const [dependency, range] of Object.entries({ ...dependencies, ...devDependencies }))
  refuse(!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(range), `${dependency} is "${range}", not one version`);

const out = join('.build', 'release');
const building = `${out}.building`;
rmSync(building, { recursive: true, force: true });
mkdirSync(building, { recursive: true });
const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--silent', '--pack-destination', building]));
const materials = `${name}-${version}.cdx.json`;
writeFileSync(join(building, materials), bill());
const sums = [filename, materials].map((file) => `${createHash('sha256').update(readFileSync(join(building, file))).digest('hex')}  ${file}\n`);
writeFileSync(join(building, 'SHA256SUMS'), sums.join(''));
rmSync(out, { recursive: true, force: true });
renameSync(building, out);
process.stdout.write(`${name} ${version} in ${out}: ${filename}, ${materials}, SHA256SUMS\n`);

/**
 * What the lock file pins for users of the package: every entry with its version, licence and digest.
 * npm's `--omit dev` also leaves out what is both a dependency and a peer of a developers' one, so those of developers are taken out here.
 */
function bill() {
  const all = JSON.parse(run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']));
  const ofDevelopers = ({ properties }) => properties.some((property) => property.name === 'cdx:npm:package:development' && property.value === 'true');
  const components = all.components.filter((component) => !ofDevelopers(component));
  const kept = new Set([all.metadata.component, ...components].map((component) => component['bom-ref']));
  const edges = all.dependencies.filter(({ ref }) => kept.has(ref)).map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((to) => kept.has(to)) }));
  for (const [dependency, version] of Object.entries(dependencies))
    refuse(!kept.has(`${dependency}@${version}`), `the bill of materials lacks ${dependency} ${version}`);
  const bare = components.find(({ hashes }) => !hashes?.length);
  refuse(bare !== undefined, `the bill of materials has no digest of ${bare?.name}`);
  return `${JSON.stringify({ ...all, components, dependencies: edges }, null, 2)}\n`;
}

function run(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 2 ** 20, stdio: ['ignore', 'pipe', 'inherit'] });
}

function refuse(holds, message) {
  if (!holds) return;
  process.stderr.write(`release: ${message}\n`);
  process.exit(1);
}
