/**
 * A process that imports a model's weights as packing does and prints, as JSON, the resident memory
 * before and the most there was.
 */

import { backbonePorts, compileOnnxBackbone } from '../../src/compiler/graphs/onnx-backbone.js';
import { openModel } from '../../src/compiler/onnx/import/model.js';
import { onnxWeights } from '../../src/compiler/pack/onnx-pack.js';
import { layOutWeights, writeWeights } from '../../src/compiler/pack/weights-file.js';
import { peakMemory } from './peak-memory.js';

const [model, target] = process.argv.slice(2) as [string, string];
const before = process.memoryUsage().rss;
const opened = await openModel(model);
const { forward, vjp } = compileOnnxBackbone(opened, backbonePorts(opened), 'none');
const { weights } = onnxWeights(opened, [forward, vjp]);
const { bytes } = await writeWeights(target, layOutWeights(weights), weights);
const peak = peakMemory();
process.stdout.write(JSON.stringify({ before, peak, written: bytes }));
