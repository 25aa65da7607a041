/**
 * The local endpoint, driven by clients of other projects: OpenAI's and Anthropic's in Python,
 * lm-eval, and the Codex CLI. A gateway and `cutlayer client serve` run as they do for people.
 *
 *     node dist/test/conformance/live-clients.js --python PATH [--no-lm-eval] [--codex PATH]
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { endProcess, readyLine, startNode } from '../../demo/server-process.js';
import { pack } from '../../src/compiler/pack/pack.js';
import { packageRoot } from '../../src/files/package-root.js';
import { withVariant } from '../support/checkpoint-variant.js';
import { MAIN, startGateway } from '../support/gateway-process.js';
import { fixtureDir } from '../support/packed-model.js';
import { TOOL_TEMPLATE } from '../support/tool-template.js';

const MODEL = 'llama-tiny';
/**
 * A turn of the Codex CLI is some 9,000 tokens of this tokenizer, which has hardly more than bytes.
 */
const POSITIONS = 32_768;
/** Longest run of one client. */
const TIMEOUT_MS = 300_000;

const { values } = parseArgs({
  options: { python: { type: 'string' }, 'no-lm-eval': { type: 'boolean', default: false }, codex: { type: 'string' } },
});

const work = mkdtempSync(join(tmpdir(), 'cutlayer-clients-'));
try {
  const { backboneDir, bundleDir } = await packed(join(work, 'packed'));
  const gateway = await startGateway({ backboneDir, insecure: true });
  writeFileSync(join(work, 'token'), await gateway.token('acme'));
  const connection = ['--bundle', bundleDir, '--gateway', gateway.address, '--insecure', '--token-file', join(work, 'token')];
  const flags = ['--port', '0', '--base-name', 'base', '--key-file', join(work, 'key'), '--max-new-tokens', '2000', '--json'];
  const serve = startNode(MAIN, ['client', 'serve', ...connection, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const ready = await readyLine<{ readonly url: string }>(serve, () => new Error('serve ended before it was ready'));
    const url = ready.url.replace(/\/v1$/, '');
    const env = { CUTLAYER_KEY: readFileSync(join(work, 'key'), 'utf8').trim() };
    if (values.python !== undefined) {
      run('clients in Python', values.python, [script('serving_clients.py'), url, 'base'], env);
      if (!values['no-lm-eval'])
        run('lm-eval', values.python, [script('serving_lm_eval.py'), url, 'base', join(work, 'tokenizer'), work], env);
    }
    if (values.codex !== undefined) {
      codexTurn(values.codex, url, env);
      assert.ok((await answersOf(url, '/v1/responses', 200)) > 0, 'the endpoint answered no turn of Codex');
    }
  } finally {
    await endProcess(serve, 'SIGTERM');
    await gateway.stop();
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** A small model with room for long prompts, tools, and answers that end by themselves. */
function packed(outDir: string) {
  const of = (file: string) => readFileSync(join(fixtureDir(MODEL), file), 'utf8');
  const ends = [1, ...someTokens(of('tokenizer.json'))];
  const tokenizerConfig = JSON.stringify({ ...(JSON.parse(of('tokenizer_config.json')) as object), chat_template: TOOL_TEMPLATE });
  const files = {
    'tokenizer.json': of('tokenizer.json'),
    'tokenizer_config.json': tokenizerConfig,
    'generation_config.json': JSON.stringify({ eos_token_id: ends }),
  };
  mkdirSync(join(work, 'tokenizer'));
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'config.json'])
    writeFileSync(join(work, 'tokenizer', name), name === 'config.json' ? of(name) : files[name as 'tokenizer.json']);
  return withVariant(MODEL, { config: { max_position_embeddings: POSITIONS, eos_token_id: ends }, files }, async (checkpointDir) => {
    await pack({ checkpointDir, outDir, bottom: 0, top: 0 });
    return { backboneDir: join(outDir, 'backbone'), bundleDir: join(outDir, 'client-bundle') };
  });
}

/**
 * Every fourth token of a byte beyond ASCII: so many that a model of random weights ends an answer
 * by itself.
 */
function someTokens(tokenizer: string): readonly number[] {
  const { model } = JSON.parse(tokenizer) as { readonly model: { readonly vocab: Readonly<Record<string, number>> } };
  const beyond = Object.entries(model.vocab).filter(([token]) => /^[\u00a1-\u00ff]$/.test(token));
  return beyond.map(([, id]) => id).filter((_, at) => at % 4 === 0);
}

function script(name: string): string {
  return join(packageRoot(), 'test', 'conformance', name);
}

/** Runs a client; what it prints goes to the terminal. */
function run(title: string, command: string, args: readonly string[], env: Readonly<Record<string, string>>): void {
  const begin = performance.now();
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
    timeout: TIMEOUT_MS,
  });
  assert.equal(status, 0, `${title}: ended with ${error?.message ?? `status ${status}`}`);
  process.stdout.write(`${title}: ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}

/**
 * One turn of the Codex CLI, whose own directory and home are temporary; its answer's text is
 * nonsense.
 */
function codexTurn(codex: string, url: string, env: Readonly<Record<string, string>>): void {
  const [home, project] = [join(work, 'home'), join(work, 'project')];
  for (const dir of [join(home, '.codex'), project]) mkdirSync(dir, { recursive: true });
  const instructions = join(home, 'instructions.md');
  writeFileSync(instructions, 'Answer.\n');
  writeFileSync(join(home, '.codex', 'config.toml'), codexSettings(url, instructions));
  const began = performance.now();
  const args = ['exec', '--json', '--skip-git-repo-check', '-C', project, 'Say hello'];
  const own = { PATH: process.env.PATH ?? '', HOME: home, CODEX_HOME: join(home, '.codex'), ...env };
  const { stdout, stderr, status } = spawnSync(codex, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: own,
    timeout: TIMEOUT_MS,
    encoding: 'utf8',
  });
  const events = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { readonly type: string; readonly usage?: { readonly output_tokens: number } });
  const last = events.at(-1);
  assert.deepEqual([status, last?.type], [0, 'turn.completed'], `codex: ${stdout.slice(-2000)}\n${stderr.slice(-2000)}`);
  process.stdout.write(`Codex: a turn of ${JSON.stringify(last?.usage)}, ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
}

function codexSettings(url: string, instructions: string): string {
  return `model = "base"
model_provider = "cutlayer"
model_instructions_file = ${JSON.stringify(instructions)}
approval_policy = "never"
sandbox_mode = "read-only"
web_search = "disabled"
[analytics]
enabled = false
[model_providers.cutlayer]
name = "cutlayer"
base_url = "${url}/v1"
env_key = "CUTLAYER_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`;
}

/** Requests of a path that were answered with a status. */
async function answersOf(url: string, path: string, status: number): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text
    .split('\n')
    .find((one) => one.startsWith(`cutlayer_serve_request_seconds_count{endpoint="${path}",status="${status}"}`));
  return Number(line?.split(' ').at(-1) ?? 0);
}
