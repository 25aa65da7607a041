/**
 * What is learned: `auto` takes each record's own form, the others one form only. `text` is
 * continued pre-training, documents in several windows; `classification` reads `{text, label}`.
 */
export const objectives = ['auto', 'completion', 'chat', 'text', 'classification'] as const;

/** One of {@link objectives}. */
export type Objective = (typeof objectives)[number];
