/** The adapter of a manifest, as one member builds it, and its parameters as one vector. */
import { CutlayerError } from '../../../src/errors.js';
import { type Manifest, updateLength } from '../../../src/protocol/federation/manifest.js';
import type { Adapter } from '../adapters/adapter.js';
import type { AdapterContext } from '../adapters/context.js';
import { createAdapter } from '../adapters/registry.js';
import type { MethodSettingsInput } from '../adapters/setting-table.js';

/** Names and shapes of an adapter's parameters, as a manifest lists them. */
export function parametersOf(adapter: Pick<Adapter, 'parameters'>): Manifest['parameters'] {
  return adapter.parameters.map(({ name, value }) => ({ name, shape: [...value.shape] }));
}

/**
 * Builds the adapter of a manifest.
 * @throws CutlayerError ADAPTER_MISMATCH (other parameters than the manifest lists),
 *   INVALID_ARGUMENT
 */
export async function federatedAdapter(context: AdapterContext, manifest: Pick<Manifest, 'settings' | 'parameters'>): Promise<Adapter> {
  const { method, settings } = manifest.settings.adapter;
  // Checked by the methods' own schema, as any caller's.
  const adapter = await createAdapter(context, method, settings as MethodSettingsInput);
  const [own, wanted] = [parametersOf(adapter), manifest.parameters];
  const describe = (list: Manifest['parameters'], at: number): string => {
    const found = list[at];
    return found === undefined ? 'nothing' : `${found.name} [${found.shape.join(', ')}]`;
  };
  for (let at = 0; at < Math.max(own.length, wanted.length); at++) {
    if (describe(own, at) === describe(wanted, at)) continue;
    throw new CutlayerError(
      'ADAPTER_MISMATCH',
      `parameter ${at + 1} of ${method}: the manifest says ${describe(wanted, at)}, this bundle's model gives ${describe(own, at)}; ` +
        'the federation was made for another model or with another version of this program',
    );
  }
  return adapter;
}

/** All parameters, one after the other: a copy. */
export function flatValues(adapter: Pick<Adapter, 'parameters'>): Float32Array {
  const values = new Float32Array(updateLength({ parameters: parametersOf(adapter) }));
  let at = 0;
  for (const { value } of adapter.parameters) {
    values.set(value.data, at);
    at += value.data.length;
  }
  return values;
}

/** Sets all parameters. @throws CutlayerError INVALID_SHAPE */
export function setFlatValues(adapter: Pick<Adapter, 'parameters'>, values: Float32Array): void {
  const wanted = updateLength({ parameters: parametersOf(adapter) });
  if (values.length !== wanted)
    throw new CutlayerError('INVALID_SHAPE', `adapter parameters: expected ${wanted} values, got ${values.length}`);
  let at = 0;
  for (const { value } of adapter.parameters) {
    value.data.set(values.subarray(at, at + value.data.length));
    at += value.data.length;
  }
}

/** after − before in float64, rounded to float32. */
export function difference(after: Float32Array, before: Float32Array): Float32Array {
  return Float32Array.from(after, (value, at) => value - before[at]!);
}
