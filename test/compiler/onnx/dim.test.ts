import assert from 'node:assert/strict';
import {
  addDims,
  dimsEqual,
  dimText,
  divideDims,
  multiplyDims,
  parseDim,
  shapesEqual,
  shapeText,
  subtractDims,
  symbol,
  symbolName,
} from '../../../src/compiler/onnx/dim.js';

describe('symbolic dimensions', () => {
  const [B, S, P] = [symbol('B'), symbol('S'), symbol('P')];
  const rows = addDims(P, multiplyDims(B, S));

  it('have one canonical text however they were made', () => {
    assert.equal(dimText(rows), 'B*S+P');
    assert.ok(dimsEqual(rows, addDims(multiplyDims(S, B), P)));
    assert.ok(!dimsEqual(rows, multiplyDims(B, addDims(S, P))));
    assert.equal(dimText(subtractDims(rows, addDims(P, 2))), 'B*S-2');
    assert.equal(shapeText([rows, 768]), '[B*S+P, 768]');
  });

  it('become numbers when no symbol is left', () => {
    assert.equal(subtractDims(rows, rows), 0);
    assert.equal(subtractDims(addDims(P, 3), P), 3);
    assert.equal(multiplyDims(), 1);
    assert.equal(multiplyDims(0, B), 0);
  });

  it('divide only without a remainder', () => {
    assert.ok(dimsEqual(divideDims(multiplyDims(rows, 12), 4)!, multiplyDims(rows, 3)));
    assert.ok(dimsEqual(divideDims(multiplyDims(rows, addDims(S, 1)), rows)!, addDims(S, 1)));
    assert.ok(dimsEqual(divideDims(multiplyDims(B, S), B)!, S));
    assert.equal(divideDims(rows, B), undefined);
    assert.equal(divideDims(7, 2), undefined);
    assert.equal(divideDims(B, 0), undefined);
    assert.equal(divideDims(0, B), 0);
  });

  it('are what their text says', () => {
    const dims = [7, 0, -3, P, rows, subtractDims(rows, 2), multiplyDims(-2, B, S), subtractDims(multiplyDims(3, P), multiplyDims(B, B))];
    for (const dim of dims) assert.ok(dimsEqual(parseDim(dimText(dim)), dim), dimText(dim));
    assert.throws(() => parseDim('B*S.'), { code: 'INVALID_GRAPH' });
    assert.throws(() => parseDim('B**S'), { code: 'INVALID_GRAPH' });
  });

  it('compare shapes by rank and every dimension', () => {
    assert.ok(shapesEqual([B, 3], [symbol('B'), 3]));
    assert.ok(!shapesEqual([B, 3], [B]));
    assert.ok(!shapesEqual([B, 3], [S, 3]));
  });

  it('know when they are a single symbol', () => {
    assert.equal(symbolName(B), 'B');
    assert.equal(symbolName(rows), undefined);
    assert.equal(symbolName(4), undefined);
  });

  it('refuse names that are no identifiers', () => {
    assert.throws(() => symbol('B*S'), { code: 'INVALID_GRAPH', message: 'symbol: expected an identifier, got "B*S"' });
  });
});
