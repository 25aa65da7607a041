/** The option that names a role's database. */
import { type OptionRow, parsed, path } from '../../options/option.js';
import { isPostgresUrl } from './postgres/postgres-url.js';

/** A file, or the URL of a PostgreSQL server without a password: an option holds no secret. */
export function databaseOption(description: string): OptionRow<string> {
  const file = path('target', description);
  const expected = 'expected a file or postgres://USER@HOST:PORT/DATABASE without a password, which PGPASSFILE or passwordfile gives';
  const read = (given: unknown) => {
    if (typeof given !== 'string' || given === '') return undefined;
    if (isPostgresUrl(given)) return hasPassword(given) ? undefined : given;
    const result = file.parse(given);
    return 'value' in result ? result.value : undefined;
  };
  return { ...parsed('target', description, expected, read), path: true };
}

const hasPassword = (url: string): boolean => /:\/\/[^:@/]*:.*@/s.test(url) || /[?&]password=/i.test(url);
