#!/usr/bin/env -S GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967295:glibc.malloc.trim_threshold=17179869184:glibc.malloc.arena_max=1 node
/** The `cutlayer` command. The first line sets glibc's allocator, see src/runtime/malloc.ts. */
import { reportFailure } from './commands/failure.js';
import { program } from './commands/program.js';

// `cutlayer … | head`: the reader has closed the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await (await program(process.argv.slice(2))).parseAsync();
} catch (caught) {
  process.exitCode = reportFailure(caught);
}
