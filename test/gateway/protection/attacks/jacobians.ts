/** Attacks that read the backbone's Jacobian, each a vector at a time. */
import { type Random, seeded } from '../../../../src/tensor/random.js';
import { type Access, basis, collect, type Outcome } from './access.js';

/** A row as an embedding has them. */
export const randomRow = (width: number, random: Random): Float32Array =>
  Float32Array.from({ length: width }, () => 0.15 * random.normal());

const textOf = (access: Access, tokens: number, seed: number): Float32Array[] => {
  const random = seeded(seed);
  return Array.from({ length: tokens }, () => randomRow(access.hiddenSize, random));
};

/** The cotangent of a text's row. */
const at = (tokens: number, row: number, value: Float32Array): Float32Array[] =>
  Array.from({ length: tokens }, (_, other) => (other === row ? value : new Float32Array(value.length)));

/** One vjp of a text of one token after another: attention has nothing to attend to. */
export function oneTokenJacobian(access: Access): Promise<Outcome> {
  const { hiddenSize } = access;
  return collect(2 * hiddenSize, async (piece) => {
    const { stepId } = await access.forward(textOf(access, 1, piece), { training: true });
    await access.backward(stepId, [basis(hiddenSize, piece % hiddenSize)]);
  });
}

/** The same hidden behind other tokens: a causal model's first row sees itself alone. */
export function firstRowJacobian(access: Access): Promise<Outcome> {
  const { hiddenSize } = access;
  return collect(2 * hiddenSize, async (piece) => {
    const { stepId } = await access.forward(textOf(access, 4, piece), { training: true });
    await access.backward(stepId, at(4, 0, basis(hiddenSize, piece % hiddenSize)));
  });
}

/** All vjps of one step. */
export async function manyVjpsOfOneStep(access: Access): Promise<Outcome> {
  const { hiddenSize } = access;
  const { stepId } = await access.forward(textOf(access, 4, 1), { training: true });
  return collect(hiddenSize, (piece) => access.backward(stepId, at(4, 3, basis(hiddenSize, piece))));
}

/** One vjp a step of the same text, whose rows behind the one of interest change. */
export function basisCotangents(access: Access): Promise<Outcome> {
  const { hiddenSize } = access;
  const text = textOf(access, 4, 2);
  return collect(hiddenSize, async (piece) => {
    const { stepId } = await access.forward([...text, ...textOf(access, 1, 100 + piece)], { training: true });
    await access.backward(stepId, at(5, 3, basis(hiddenSize, piece)));
  });
}

/** Differences of forwards alone: of one value of a row, or in random directions of all rows. */
export async function finiteDifferences(access: Access, where: 'one value' | 'all rows', epsilon = 1e-3): Promise<Outcome> {
  const { hiddenSize } = access;
  const text = textOf(access, 4, 3);
  const random = seeded(4);
  await access.forward(text);
  return collect(hiddenSize, (piece) => {
    const moved = text.map((row, n) =>
      row.map((value, i) => value + epsilon * (where === 'all rows' ? random.normal() : n === 3 && i === piece ? 1 : 0)),
    );
    return access.forward(moved);
  });
}
