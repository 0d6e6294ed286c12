/** Draws prompts in Node, by the model of a folder, and writes them as PNG files beside where it runs. */
import { generateFromPrompts, loadModel, loadTextModel } from '../src/index.ts';
import { encodePng, openDevice, openFolder, writeFileAtomic } from '../src/node/index.ts';

const [folder = 'models/t2i-XL-256', ...prompts] = process.argv.slice(2);
const { device, kernels, close } = await openDevice();
const files = openFolder(folder);
const text = await loadTextModel(device, files, kernels);
const model = await loadModel(device, files, kernels);
const { images } = await generateFromPrompts(model, text, prompts, { seed: 1 });
for (const [i, image] of images.entries()) writeFileAtomic(`text-${i}.png`, encodePng(image));
text.destroy();
model.destroy();
close();
