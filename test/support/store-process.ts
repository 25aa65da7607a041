/**
 * A process that writes a store and is killed. `run PATH N`: at the Nth write (-1: never; prints
 * the writes' names). `hold PATH`: by its parent.
 */
import { openDatabase } from '../../src/coordinator/tables/database.js';
import { runScript } from './store-script.js';

const [mode, path, at] = process.argv.slice(2);
const names: string[] = [];
const database = await openDatabase(path!, {
  onWrite: (name) => {
    if (names.length === Number(at)) process.kill(process.pid, 'SIGKILL');
    names.push(name);
  },
});
if (mode === 'hold') {
  process.stdout.write('open\n');
  process.stdin.resume(); // Until it is killed.
} else {
  await runScript(database);
  process.stdout.write(JSON.stringify(names));
  await database.close();
}
