/** A process that packs and prints, as JSON, the resident memory before and the most there was. */

import { pack } from '../../src/compiler/pack/pack.js';
import { peakMemory } from './peak-memory.js';

const [checkpointDir, outDir] = process.argv.slice(2) as [string, string];
const before = process.memoryUsage().rss;
const { weightBytes } = await pack({ checkpointDir, bottom: 0, top: 0, outDir });
const peak = peakMemory();
process.stdout.write(JSON.stringify({ before, peak, written: weightBytes.backbone + weightBytes.client }));
