// The health check of a container: asks the admin port of this machine whether the server takes calls.
// Usage: node health.mjs PORT. It sends no secret, so it does not matter whose certificate the port shows.
import { get } from 'node:https';

const url = `https://localhost:${Number(process.argv[2])}/healthz`;
get(url, { rejectUnauthorized: false, timeout: 4000, family: 4 }, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
})
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
