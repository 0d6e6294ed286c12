/** Draws two prompts in Node and writes them as PNG files beside where it runs. */
import { generateFromPrompts, loadModel, loadTextModel } from '../src/index.ts';
import {
  encodePng,
  openDevice,
  openFolder,
  textModelFolder,
  writeFileAtomic,
} from '../src/node/index.ts';

const { device, kernels, close } = await openDevice();
const files = openFolder(textModelFolder());
const text = await loadTextModel(device, files, kernels);
const model = await loadModel(device, files, kernels);
const prompts = ['two lemons on a blue ground', 'a cat'];
const { images } = await generateFromPrompts(model, text, prompts, { seed: 1 });
for (const [i, image] of images.entries()) writeFileAtomic(`text-${i}.png`, encodePng(image));
text.destroy();
model.destroy();
close();
