/** A model on a device that draws: classes or prompts in, events out. */
import { createLastingEngine } from '../../engine/lasting.ts';
import type { LastingEngine } from '../../engine/lasting-types.ts';
import { type ImageRequest, takenBy } from '../../engine/request.ts';
import { OptionError } from '../../errors.ts';
import { hasPictureEncoder, loadPictureEncoder } from '../../generate/picture-encoder.ts';
import { loadTextModel } from '../../generate/prompts.ts';
import { type LoadOptions, loadModel, readConfig } from '../../load/model.ts';
import { precisionName } from '../../models/precision.ts';
import { downsampleOf } from '../../models/vq-config.ts';
import { assertKeepRows, fitted } from '../../picture/completion.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { capacityFor } from './capacity.ts';
import { Captions } from './captions.ts';
import { type Devices, OnDevice } from './devices.ts';
import type { DrawEvent, DrawRequest, GivenPicture, ModelView } from './protocol.ts';

export interface DrawingModel {
  readonly view: ModelView;
  draw(request: DrawRequest, signal: AbortSignal): AsyncIterable<DrawEvent>;
  /** Frees its GPU memory; what it draws ends with a DeviceError (`destroyed`). */
  close(): void;
}

/** @throws What `loadModel` and `createEngine` throw. */
export async function openDrawingModel(
  files: ModelFiles,
  devices: Devices,
  options: Pick<LoadOptions, 'signal' | 'onProgress'>,
): Promise<DrawingModel> {
  let first: typeof options | undefined = options;
  const open = async () => {
    const { device } = await devices.get();
    const model = await loadModel(device, files, first);
    first = undefined; // nobody waits for the next one
    return { model, close: () => model.destroy() };
  };
  const engine = await createLastingEngine(open, {
    capacity: capacityFor((await readConfig(files)).gpt),
  });
  if (options.signal?.aborted) {
    engine.destroy();
    throw options.signal.reason;
  }
  const { config } = engine.model;
  const texts = new OnDevice(devices, (device) => loadTextModel(device, files));
  const captions = new Captions(texts);
  const encoder = new OnDevice(devices, (device) => loadPictureEncoder(device, files));

  const prefixOf = async ({ keepRows, ...image }: GivenPicture, signal: AbortSignal) => {
    assertKeepRows('"keepRows"', keepRows, config);
    const picture = fitted(image, config);
    const [grid] = await encoder.use((loaded) => loaded.encode([picture], { signal }));
    if (!grid) throw new Error('a picture without tokens');
    return grid.tokens.slice(0, keepRows * grid.width);
  };

  return {
    view: viewOf(engine, await hasPictureEncoder(files)),
    async *draw({ prompt, from, ...asked }, signal) {
      const request: ImageRequest = asked;
      if (prompt !== undefined) {
        if (config.gpt.modelType === 'c2i') {
          throw new OptionError(`${takenBy(config.gpt)}: give "classIndex", not "prompt"`);
        }
        const caption = await captions.of(prompt);
        yield { type: 'prompt', text: caption.text, cut: caption.cut };
        Object.assign(request, { caption });
      }
      if (from) {
        if (asked.prefix) throw new OptionError('give "from" or "prefix", not both');
        const prefix = await prefixOf(from, signal);
        yield { type: 'prefix', tokens: prefix };
        Object.assign(request, { prefix });
      }
      yield* engine.submit(request, { signal });
    },
    close() {
      engine.destroy();
      texts.destroy();
      encoder.destroy();
    },
  };
}

function viewOf({ model, capacity }: LastingEngine, canComplete: boolean): ModelView {
  const { config, gpt, memory, fingerprint } = model;
  const { name, description, classNames, text, sampling, license } = config;
  const { modelType, gridSize } = config.gpt;
  return {
    ...{ name, description, modelType, classNames, text, sampling, license, gridSize, fingerprint },
    imageSize: gridSize * downsampleOf(config.vq),
    ...{ canComplete, capacity },
    precision: precisionName(gpt.precision),
    gpuBytes: memory.weights + memory.state + memory.temp + memory.staging,
  };
}
