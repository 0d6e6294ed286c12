/** A process that loads a decoder file onto a device that keeps nothing, and says what that took. */

import { Memory } from '../../src/gpu/memory.ts';
import { checkGpt } from '../../src/load/model.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { type GptSize, gptConfig } from '../../src/models/gpt-config.ts';
import { openFile } from '../../src/node/files.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { discardingDevice } from './discarding-device.ts';

const [path = '', size = '', dtype = ''] = process.argv.slice(2);
const { device, bytes } = discardingDevice();
const file = await openSafetensors(await openFile(path));
const options = { dtype } as PrecisionOptions;
const started = performance.now();
await (await checkGpt(device, gptConfig(size as GptSize, 16), file, options)).load(
  new Memory(device),
);
const seconds = (performance.now() - started) / 1000;
// The most memory that this process ever had, imports and all.
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ ...bytes, seconds, peakBytes }));
