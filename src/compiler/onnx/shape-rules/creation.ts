/** Shape rules of ops that make values from sizes. */
import { divideDims, shapeText, subtractDims } from '../dim.js';
import { contentOf, expectDim, type ShapeRules, sameDType } from './context.js';

export const creationShapes = {
  Shape: ({ data }) => [{ dtype: 'int64', shape: [data.shape.length], content: data.shape }],
  Range: ({ start, limit, delta, invalid }) => {
    const dtype = sameDType({ start, limit, delta }, invalid);
    for (const value of [start, limit, delta]) {
      if (value.shape.length !== 0) throw invalid(`start, limit and delta must be scalars, got ${shapeText(value.shape)}`);
    }
    const [from] = contentOf(start, 'start', invalid);
    const [to] = contentOf(limit, 'limit', invalid);
    const [step] = contentOf(delta, 'delta', invalid);
    const count = divideDims(subtractDims(to!, from!), step!);
    if (count === undefined) throw invalid('the range must hold a whole number of steps');
    return [{ dtype, shape: [count] }];
  },
  ConstantOfShape: ({ input, value, invalid }) => {
    expectDim(1, value.data.length, 'number of elements of value', invalid);
    return [{ dtype: value.dtype, shape: contentOf(input, 'input', invalid) }];
  },
} satisfies Partial<ShapeRules>;
