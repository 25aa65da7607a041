/** Replaces the schema of a store by one that was filled beside it. */
import { CutlayerError } from '../../../errors.js';
import { connectOptions } from './connect-options.js';
import { postgresFailure } from './postgres-failure.js';
import { parsePostgresUrl } from './postgres-url.js';
import { SessionLock } from './session-lock.js';

/**
 * @param fill Fills a new store at a URL and closes it.
 * @returns what `fill` gives
 * @throws CutlayerError STORE_IN_USE while a server has it open; ALREADY_EXISTS without `force`
 */
export async function replaceSchema<Result>(
  target: string,
  { schema: role, force }: { readonly schema: string; readonly force: boolean },
  fill: (target: string) => Promise<Result>,
): Promise<Result> {
  const url = parsePostgresUrl(target);
  const { name } = url;
  const schema = url.schema ?? role;
  const beside = `${schema.slice(0, 53)}_restoring`;
  const lock = new SessionLock({ config: await connectOptions(url, schema), name, schema, shared: false });
  try {
    const client = await lock.held();
    const { rows } = await client.query('SELECT 1 FROM pg_tables WHERE schemaname = $1 LIMIT 1', [schema]);
    if (rows.length > 0 && !force)
      throw new CutlayerError('ALREADY_EXISTS', `store ${name}: the schema ${schema} has tables already; --force replaces them`);
    const removeBeside = () => client.query(`DROP SCHEMA IF EXISTS ${beside} CASCADE`);
    await removeBeside();
    const filled = new URL(target);
    filled.searchParams.set('schema', beside);
    const result = await fill(filled.href).catch(async (caught: unknown) => {
      await removeBeside().catch(() => undefined); // the next restore removes it
      throw caught;
    });
    await client.query(`BEGIN; DROP SCHEMA IF EXISTS ${schema} CASCADE; ALTER SCHEMA ${beside} RENAME TO ${schema}; COMMIT`);
    return result;
  } catch (caught) {
    throw postgresFailure(caught, name);
  } finally {
    await lock.release();
  }
}
