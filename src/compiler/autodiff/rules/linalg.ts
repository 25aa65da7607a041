/** VJP rules of matrix products. A′ and B′ are A and B after the requested transposes. */
import { notDifferentiable, type VjpContext, type VjpRules } from '../vjp-rules.js';

/** Only the decode graph moves batches, and nothing is differentiated there. */
function refuseMovedBatch({ transBatchA, transBatchB }: VjpContext<'FusedMatMul'>): void {
  if (transBatchA !== 0 || transBatchB !== 0) throw notDifferentiable('FusedMatMul', 'a moved batch has no rule');
}

export const linalgRules = {
  MatMul: {
    A: ({ g, ct, B }) => g.fusedMatMul(ct, B, { transB: 1 }), // Ā = Ȳ Bᵀ
    B: ({ g, ct, A }) => g.fusedMatMul(A, ct, { transA: 1 }), // B̄ = Aᵀ Ȳ
  },
  FusedMatMul: {
    // Ā = α Ȳ B′ᵀ, or with transA its transpose α B′ Ȳᵀ
    A: (context) => {
      refuseMovedBatch(context);
      const { g, ct, B, alpha, transA, transB } = context;
      return transA === 0
        ? g.fusedMatMul(ct, B, { alpha, transB: 1 - transB })
        : g.fusedMatMul(B, ct, { alpha, transA: transB, transB: 1 });
    },
    // B̄ = α A′ᵀ Ȳ, or with transB its transpose α Ȳᵀ A′
    B: (context) => {
      refuseMovedBatch(context);
      const { g, ct, A, alpha, transA, transB } = context;
      return transB === 0
        ? g.fusedMatMul(A, ct, { alpha, transA: 1 - transA })
        : g.fusedMatMul(ct, A, { alpha, transA: 1, transB: transA });
    },
  },
  Gemm: {
    // Ā = α Ȳ B′ᵀ, or with transA its transpose α B′ Ȳᵀ
    A: ({ g, ct, B, alpha, transA, transB }) =>
      transA === 0 ? g.gemm({ A: ct, B }, { alpha, transB: 1 - transB }) : g.gemm({ A: B, B: ct }, { alpha, transA: transB, transB: 1 }),
    // B̄ = α A′ᵀ Ȳ, or with transB its transpose α Ȳᵀ A′
    B: ({ g, ct, A, alpha, transA, transB }) =>
      transB === 0 ? g.gemm({ A, B: ct }, { alpha, transA: 1 - transA }) : g.gemm({ A: ct, B: A }, { alpha, transA: 1, transB: transA }),
    C: ({ g, ct, beta }) => (beta === 1 ? ct : g.mul(ct, beta)), // C̄ = β Ȳ
  },
} satisfies Partial<VjpRules>;
