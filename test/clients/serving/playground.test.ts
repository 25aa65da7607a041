/** The playground's page: served under a strict policy that its own parts meet, and without a request to another host. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { playgroundPage } from '../../../clients/typescript/serving/playground/page.js';
import { exposure, exposureAt } from '../../../src/artifacts/exposure.js';
import { startScripted } from '../../support/scripted-model.js';

const digestOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const part = (page: string, tag: string) => new RegExp(`<${tag}>([\\s\\S]*)</${tag}>`).exec(page)![1]!;

describe('the playground', () => {
  it('is served without a key, under a policy that names its own script and style alone', async () => {
    const server = await startScripted({ pieces: ['a'] }, { key: 'k'.repeat(24) });
    try {
      const answer = await fetch(`${server.url}/`);
      const policy = answer.headers.get('content-security-policy')!;
      const page = await answer.text();
      assert.equal(answer.status, 200);
      assert.ok(policy.startsWith("default-src 'none';"));
      for (const tag of ['script', 'style']) assert.ok(policy.includes(`${tag}-src ${digestOf(part(page, tag))};`), tag);
      assert.doesNotMatch(policy, /unsafe|\*|http/);
      assert.ok(!page.includes('k'.repeat(24)));
      assert.ok(page.includes('What crosses: &lt;numbers&gt;.'));
    } finally {
      await server.close();
    }
  });

  it('asks this endpoint alone, writes no markup, and says what crosses', () => {
    const page = playgroundPage(`${exposure} ${exposureAt(0)}`);
    const script = part(page, 'script');
    new Script(script); // parses
    assert.doesNotMatch(page, /https?:\/\/|innerHTML|insertAdjacentHTML|document\.write| on[a-z]+=/);
    for (const [, id] of script.matchAll(/at\('(\w+)'\)/g)) assert.ok(page.includes(`id="${id}"`), id);
    assert.ok(page.includes(exposure) && page.includes(exposureAt(0)));
  });

  it('names every control', () => {
    const page = playgroundPage('');
    for (const [, tag] of page.matchAll(/<(?:input|select|textarea) id="(\w+)"/g))
      assert.match(page, new RegExp(`<label[^>]*>[^<]+<(?:input|select|textarea) id="${tag}"`), tag);
  });
});
