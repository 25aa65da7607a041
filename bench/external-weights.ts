/** Where the weights of a graph lie that a section writes beside a backbone's own. */
import type { EncodeOptions } from '../src/compiler/onnx/encoder.js';
import type { SafetensorsHeader } from '../src/safetensors/header.js';

export function externalWeights(weightsFile: string, { tensors }: SafetensorsHeader): Required<EncodeOptions>['externalData'] {
  return (weight) => {
    const { offset, bytes } = tensors.get(weight)!;
    return { location: weightsFile, offset, length: bytes };
  };
}
