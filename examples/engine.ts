/** Requests of any settings, side by side in one engine. */
import { createEngine, type ImageRequest, type Model } from '../src/index.ts';

/** Three requests, with and without guidance; one completes a picture. */
export async function drawThree(model: Model, tokensOfPhoto: Uint32Array): Promise<void> {
  const engine = await createEngine(model, { capacity: 8 }); // KV slots; guidance takes two
  const requests: ImageRequest[] = [
    { classIndex: 3, seed: 1, previewEvery: 36 },
    { classIndex: 1, seed: 2, cfgScale: 1, topK: 200 },
    { classIndex: 3, seed: 3, prefix: tokensOfPhoto.subarray(0, 72) },
  ];
  const draw = async (request: ImageRequest): Promise<void> => {
    // To leave the loop, or to abort `submit(request, { signal })`, takes a request out.
    for await (const event of engine.submit(request)) {
      if (event.type === 'tokens') console.log(`${event.done} of ${event.total} tokens`);
      if (event.type === 'preview') console.log('so far', event.picture.rgba);
      if (event.type === 'image') console.log(event.tokens, event.picture?.rgba);
    }
  };
  await Promise.all(requests.map(draw));
  engine.destroy();
}
