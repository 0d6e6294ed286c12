/** Generates two pictures in Node and writes them as PNG files beside where it runs. */
import { generate, loadModel, resolveClass } from '../src/index.ts';
import {
  defaultModelFolder,
  encodePng,
  openDevice,
  openFolder,
  writeFileAtomic,
} from '../src/node/index.ts';

const { device, kernels, close } = await openDevice(); // the GPU, else the software adapter
const model = await loadModel(device, openFolder(defaultModelFolder()), kernels);
const { images } = await generate(model, {
  classes: ['Orange', 'Grape Blue'].map((name) => resolveClass(model.config.classNames, name)),
  seed: 1,
  onProgress: ({ phase, done, total }) => console.log(`${phase} ${done}/${total}`),
});
for (const { seed, ...image } of images) writeFileAtomic(`image-${seed}.png`, encodePng(image));
model.destroy();
close();
