import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { GLIBC_TUNABLES, tunedEnvironment } from '../../src/runtime/malloc.js';
import { thorough } from '../support/exhaustive.js';

describe('runtime/malloc', () => {
  thorough('names settings that glibc knows: the kernel is asked for memory once, not at every large allocation', function () {
    if (process.platform !== 'linux' || !existsSync('/proc/self/stat')) this.skip();
    // Rounds of large arrays that are dropped again; the faults of the last ones tell whether memory was kept.
    const program = `
      const { MessageChannel } = require('node:worker_threads');
      const { port1, port2 } = new MessageChannel(); port2.close(); port1.close();
      const round = () => { const a = new Uint8Array(2 ** 26).fill(1); port1.postMessage(null, [a.buffer]); };
      for (let i = 0; i < 4; i++) round();
      const before = process.resourceUsage().minorPageFault;
      for (let i = 0; i < 4; i++) round();
      console.log(process.resourceUsage().minorPageFault - before);`;
    const faults = (env: NodeJS.ProcessEnv): number =>
      Number(spawnSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }).stdout);
    const { GLIBC_TUNABLES: _, ...plain } = process.env;
    const untuned = faults(plain);
    if (untuned < 1000) this.skip();
    assert.ok(faults(tunedEnvironment(plain)) < untuned / 10, `${untuned} page faults without the settings`);
  });

  it("keeps the caller's own settings", () => {
    assert.equal(tunedEnvironment({ PATH: '/bin' }).GLIBC_TUNABLES, GLIBC_TUNABLES);
    assert.equal(tunedEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.perturb=1' }).GLIBC_TUNABLES, 'glibc.malloc.perturb=1');
  });
});
