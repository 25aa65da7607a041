/** The type of the importer's op tables. */
import type { Binding, NodeContext } from './context.js';

/** From a node to its outputs, in the specification's order; a missing one must not be read. */
export type Translator = (c: NodeContext) => readonly Binding[];

export type Translators = Readonly<Record<string, Translator>>;
