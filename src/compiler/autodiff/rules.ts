/** The one table of VJP rules. */
import { elementwiseRules } from './rules/elementwise.js';
import { indexingRules } from './rules/indexing.js';
import { linalgRules } from './rules/linalg.js';
import { movementRules } from './rules/movement.js';
import { normalizationRules } from './rules/normalization.js';
import { reductionRules } from './rules/reduction.js';
import type { VjpRules } from './vjp-rules.js';

export const vjpRules: VjpRules = {
  ...elementwiseRules,
  ...linalgRules,
  ...reductionRules,
  ...normalizationRules,
  ...movementRules,
  ...indexingRules,
  GroupQueryAttention: {}, // nondifferentiable: it does not give its probabilities
  Shape: {}, // its output does not depend on the data
  Range: {}, // nondifferentiable
  ConstantOfShape: {}, // nondifferentiable
};
