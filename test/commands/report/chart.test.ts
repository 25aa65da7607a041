import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { renderChart } from '../../../src/commands/report/chart.js';
import { renderPage, renderTable } from '../../../src/server/html/page.js';

describe('report pages', () => {
  it('draw each curve from its first to its last point, the largest value highest', () => {
    const svg = renderChart(
      [
        {
          name: 'a',
          points: [
            [1, 0],
            [2, 1],
            [3, 0.5],
          ],
          dots: true,
        },
      ],
      { label: 'curves', top: 1 },
    );
    assert.match(svg, /<path class="series" d="M52\.0 226\.0L398\.0 14\.0L744\.0 120\.0"\/>/);
    assert.equal(svg.match(/<circle/g)?.length, 3);
  });

  it('name round values, whole ones where only those mean something', () => {
    const points = Array.from({ length: 119 }, (_, at) => [at + 2, 1 + at / 118] as const);
    const svg = renderChart([{ name: 'a', points }], { label: 'curves', whole: true });
    const named = [...svg.matchAll(/text-anchor="middle">([^<]+)</g)].map(([, text]) => text);
    assert.deepEqual(named, ['20', '40', '60', '80', '100', '120']);
    const few = renderChart([{ name: 'a', points: [[1, 1], [3, 2]] }], { label: 'curves', whole: true }); // biome-ignore format: one curve
    assert.deepEqual(
      [...few.matchAll(/text-anchor="middle">([^<]+)</g)].map(([, text]) => text),
      ['1', '2', '3'],
    );
  });

  it('lay powers of ten equally far apart, and leave out what has no logarithm', () => {
    const svg = renderChart([{ name: 'a', points: [[0, 1], [1, 0.1], [2, 0.01], [3, 0]] }], { label: 'curves', logarithmic: true }); // biome-ignore format: one curve
    const heights = [...svg.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y));
    assert.equal(heights.length, 3);
    assert.ok(Math.abs(heights[2]! - heights[1]! - (heights[1]! - heights[0]!)) < 0.2, heights.join());
    assert.deepEqual(
      [...svg.matchAll(/text-anchor="end">([^<]+)</g)].map(([, text]) => text),
      ['0.01', '0.1', '1'],
    );
  });

  it('leave out values that are not finite, and say so where no curve is left', () => {
    const svg = renderChart(
      [
        {
          name: 'a',
          points: [
            [1, 0.2],
            [2, Number.NaN],
            [3, 0.4],
          ],
        },
      ],
      { label: 'curves' },
    );
    assert.doesNotMatch(svg, /NaN/);
    assert.match(renderChart([{ name: 'a', points: [[1, 2]] }], { label: 'curves' }), /Too few points/);
  });

  it('show names and cells as text, never as markup', () => {
    const svg = renderChart(
      [
        {
          name: '<b>',
          points: [
            [0, 1],
            [1, 1],
          ],
        },
      ],
      { label: '"x"' },
    );
    assert.match(svg, /&lt;b&gt;/);
    assert.match(svg, /aria-label="&quot;x&quot;"/);
    assert.match(renderTable([{ title: 'a<b' }], [['1']]), /<th>a&lt;b<\/th>/);
  });

  it('name dots beside a curve, which may lie beyond its ends', () => {
    const marks = [{ at: [4, 1], text: '7', name: 'k = 0, <b>' }] as const;
    const svg = renderChart([{ name: 'a', points: [[0, 0], [2, 1]], marks }], { label: 'curves', top: 1 }); // biome-ignore format: one curve
    assert.match(svg, /d="M52\.0 226\.0L398\.0 14\.0"\/><circle cx="744\.0" cy="14\.0" r="4"><title>k = 0, &lt;b&gt;<\/title><\/circle>/);
    assert.match(svg, /<text x="751\.0" y="18\.0">7<\/text>/);
  });

  it('ask for nothing from anywhere, and admit no style but their own', () => {
    const page = renderPage({ title: 'a & b', body: '<p>text</p>' });
    const digest = createHash('sha256')
      .update(/<style>([\s\S]*)<\/style>/.exec(page)![1]!)
      .digest('base64');
    assert.ok(page.includes(`content="default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'"`));
    assert.match(page, /<title>a &amp; b<\/title>/);
    assert.doesNotMatch(page, /https?:|<script|<link|src=/);
  });
});
