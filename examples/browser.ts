/** Draws a picture into a canvas of a page, row by row as it comes. */
import { createEngine, loadModel, openUrl, openWebDevice, resolveClass } from '../src/web/index.ts';

export async function draw(canvas: HTMLCanvasElement, name: string, seed: number): Promise<void> {
  const { device, close } = await openWebDevice(); // or take a GPUDevice that you have
  const model = await loadModel(device, openUrl('/fruits-96')); // the folder's address
  const engine = await createEngine(model);
  const classIndex = resolveClass(model.config.classNames, name);
  for await (const event of engine.submit({ classIndex, seed, previewEvery: 12 })) {
    const picture = 'picture' in event ? event.picture : undefined;
    if (!picture) continue;
    const { width, height, rgba } = picture;
    Object.assign(canvas, { width, height });
    canvas.getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
  }
  engine.destroy();
  model.destroy();
  close();
}
