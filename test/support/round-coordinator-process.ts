/** A coordinator in another process, called over IPC: `PATH N` dies before write N (-1: never). */
import { CoordinatorRig, testManifest } from './coordinator-rig.js';
import type { CoordinatorCall } from './killed-coordinator.js';

const [path, at, settings] = process.argv.slice(2);
let writes = 0;
const rig = CoordinatorRig.bare({
  manifest: testManifest(JSON.parse(settings!)),
  path: path!,
  onWrite: () => {
    if (writes === Number(at)) process.kill(process.pid, 'SIGKILL');
    writes += 1;
  },
});
await rig.open();
await rig.found();

process.on('message', async ({ id, member, method, args }: CoordinatorCall) => {
  try {
    const own: Record<string, () => unknown> = {
      report: () => rig.report(),
      version: () => rig.version(args[0] as number),
      advance: () => rig.time.advanceToNext(),
      writes: () => writes,
    };
    const api = rig.api(member) as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
    const result = await (member === '' ? own[method]!() : api[method]!(...args));
    process.send!({ id, result });
  } catch (caught) {
    process.send!({ id, error: String(caught) });
  }
});
process.send!({ id: -1 });
