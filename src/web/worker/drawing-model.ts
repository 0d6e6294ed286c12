/** A model on a device that draws: classes or prompts in, events out. */
import { createEngine } from '../../engine/engine.ts';
import { takenBy } from '../../engine/request.ts';
import { OptionError } from '../../errors.ts';
import { type LoadOptions, loadModel, type Model } from '../../load/model.ts';
import { precisionName } from '../../models/precision.ts';
import { downsampleOf } from '../../models/vq-config.ts';
import type { ModelFiles } from '../../weights/source.ts';
import type { Devices } from './devices.ts';
import type { DrawEvent, DrawRequest, ModelView } from './protocol.ts';

/** Images that are drawn side by side, two slots each with guidance. */
const CAPACITY = 8;

export interface DrawingModel {
  readonly view: ModelView;
  draw(request: DrawRequest, signal: AbortSignal): AsyncIterable<DrawEvent>;
  /** Frees its GPU memory; what it draws ends with a DeviceError (`destroyed`). */
  close(): void;
}

export async function openDrawingModel(
  files: ModelFiles,
  devices: Devices,
  options: Pick<LoadOptions, 'signal' | 'onProgress'>,
): Promise<DrawingModel> {
  const { device } = await devices.get();
  const model = await loadModel(device, files, options);
  const engine = await createEngine(model, { capacity: CAPACITY });
  return {
    view: viewOf(model),
    draw(request, signal) {
      const { prompt, from, ...asked } = request;
      if (prompt !== undefined) {
        throw new OptionError(`${takenBy(model.config.gpt)}: give "classIndex", not "prompt"`);
      }
      if (from) throw new OptionError('this model completes no pictures');
      return engine.submit(asked, { signal });
    },
    close() {
      engine.destroy();
      model.destroy();
    },
  };
}

function viewOf({ config, gpt, memory, fingerprint }: Model): ModelView {
  const { name, description, classNames, text, sampling, license } = config;
  const { modelType, gridSize } = config.gpt;
  return {
    ...{ name, description, modelType, classNames, text, sampling, license, gridSize, fingerprint },
    imageSize: gridSize * downsampleOf(config.vq),
    canComplete: false,
    capacity: CAPACITY,
    precision: precisionName(gpt.precision),
    gpuBytes: memory.weights + memory.state + memory.temp + memory.staging,
  };
}
