/** V8's precise coverage of this process: how often each block of the parsers' code has run. */
import { type Profiler, Session } from 'node:inspector';

/** Code that makes inputs: what it reaches says nothing of a parser. */
const NOT_PARSERS = /\/test\/fuzz\/[^/]+$|\/test\/support\/random\.js$|\/node_modules\/(fast-check|pure-rand)\//;

/**
 * Counts from now on. Code that is loaded later is counted by block. @returns what has run since it
 * was asked last
 */
export function startCoverage(): () => Profiler.ScriptCoverage[] {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  return () => {
    let scripts: Profiler.ScriptCoverage[] = [];
    // A session of its own thread answers before post returns.
    session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error;
      scripts = result;
    });
    return scripts.filter(({ url }) => url.startsWith('file:') && !NOT_PARSERS.test(url));
  };
}
