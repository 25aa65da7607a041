/** Files and directories that appear whole or not at all; see src/atomic-file.ts. */
export { writeDirectoryAtomic, writeFileAtomic } from '../../src/atomic-file.js';
