/** The names of the strategies, apart from their work (table.ts), for help and options. */

/** Strategies that are content with the mean, which secure aggregation can give. */
export const meanKinds = ['fedavg', 'fedavgm', 'fedadam', 'fedyogi', 'fedprox'] as const;

/** Strategies that look at every single update, which secure aggregation hides. */
export const updatesKinds = ['median', 'trimmed-mean', 'krum', 'multi-krum', 'norm-bound'] as const;
