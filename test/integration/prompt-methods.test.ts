/** Methods that make their prompt or prefix out of something else, by the command line: a prefix from a text, an encoder that goes on after a stop. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutlayerHere } from '../support/command-here.js';
import { thorough } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import { writeNotes } from '../support/training-data.js';

describe('prompt-side methods by the command line', () => {
  let dir: string;
  let bundleDir: string;
  let allowing: GatewayHere;
  let refusing: GatewayHere;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-prompt-methods-'));
    const packed = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    bundleDir = packed.bundleDir;
    const { backboneDir } = packed;
    [allowing, refusing] = await Promise.all([
      startGatewayHere({ backboneDir, start: { allowPrefixInit: true }, insecure: true }),
      startGatewayHere({ backboneDir, insecure: true }),
    ]);
    writeNotes(join(dir, 'train.jsonl'), 12, 1);
  });
  after(async () => {
    await Promise.all([allowing?.stop(), refusing?.stop()]);
    await rm(dir, { recursive: true, force: true });
  });

  const train = async (gateway: GatewayHere, out: string, ...more: readonly string[]) => {
    await writeFile(join(dir, 'token'), await gateway.token('acme'));
    const args = ['--bundle', bundleDir, '--gateway', gateway.address, '--insecure', '--token-file', join(dir, 'token'), '--threads', '1'];
    args.push('--data', join(dir, 'train.jsonl'), '--virtual-tokens', '4', '--checkpoint-every', '2', '--out', join(dir, out), ...more);
    return cutlayerHere(['client', 'train', ...args]);
  };
  const adapterOf = (out: string) => readFile(join(dir, out, 'adapter', 'adapter_model.safetensors'));
  const fromText = ['--method', 'prefix-tuning', '--init', 'TEXT', '--steps', '2'];

  it("begins a prefix from a text's keys and values, so that another text leads elsewhere", async () => {
    await train(allowing, 'one', ...fromText, '--init-text', 'Which part of the machine is it?');
    await train(allowing, 'two', ...fromText, '--init-text', 'The pump lost pressure at the dock');
    assert.notDeepEqual(await adapterOf('one'), await adapterOf('two'));
  });

  it('says that the vendor does not allow it, and what to do instead, before any step', async () => {
    const { code, stderr } = await train(refusing, 'none', ...fromText, '--init-text', 'Which part of the machine is it?');
    assert.equal(code, 1);
    assert.match(stderr, /PREFIX_INIT_REFUSED.*vendor's policy.*--init RANDOM/s);
  });

  thorough('goes on with an LSTM encoder where a stopped run left it, and ends at the same prompt to the last bit', async () => {
    const pTuning = ['--method', 'p-tuning', '--encoder', 'LSTM', '--encoder-hidden', '6', '--schedule', 'constant'];
    await train(refusing, 'whole', ...pTuning, '--steps', '4');
    // As a run that was killed between its second and its fourth step leaves its directory.
    await cp(join(dir, 'whole'), join(dir, 'stopped'), { recursive: true });
    for (const made of ['checkpoints/step-00000004', 'adapter']) await rm(join(dir, 'stopped', made), { recursive: true });
    await train(refusing, 'stopped', ...pTuning, '--steps', '4', '--resume');
    assert.deepEqual(await adapterOf('stopped'), await adapterOf('whole'));
  });
});
