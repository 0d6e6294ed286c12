/** Draws in a worker, so that the page never waits, and goes on where a device is lost. */
import { connectWorker } from '../../src/web/worker/index.ts';

export async function drawBeside(
  canvas: HTMLCanvasElement,
  name: string,
  seed: number,
): Promise<void> {
  // In one expression: bundlers look for it, to make a bundle of the worker.
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const client = await connectWorker(worker);
  const { classNames } = await client.load({ url: '/fruits-96' }); // kept for the next visit
  for await (const event of client.draw({ classIndex: classNames.indexOf(name), seed })) {
    if (event.type !== 'image' || !event.picture) continue;
    const { width, height, rgba } = event.picture;
    Object.assign(canvas, { width, height });
    canvas.getContext('2d')?.putImageData(new ImageData(rgba, width, height), 0, 0);
  }
  client.close();
}
