/** A model on a device that draws: classes or prompts in, events out. */
import { createLastingEngine } from '../../engine/lasting.ts';
import type { LastingEngine } from '../../engine/lasting-types.ts';
import { type LoadOptions, loadModel, readConfig } from '../../load/model.ts';
import { precisionName } from '../../models/precision.ts';
import { downsampleOf } from '../../models/vq-config.ts';
import { hasEncoder } from '../../weights/join.ts';
import { openModelWeights } from '../../weights/model-weights.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { capacityFor } from './capacity.ts';
import { Conditions } from './conditions.ts';
import type { Devices } from './devices.ts';
import type { DrawEvent, DrawRequest, ModelView } from './protocol.ts';

interface DrawOptions {
  readonly signal: AbortSignal;
  readonly onEvent: (event: DrawEvent) => void;
}

export interface DrawingModel {
  readonly view: ModelView;
  /** Draws until the image is there, or the signal aborts. */
  draw(request: DrawRequest, options: DrawOptions): Promise<void>;
  /** Frees its GPU memory; what it draws ends with a DeviceError (`destroyed`). */
  close(): void;
}

/** @throws What `loadModel` and `createLastingEngine` throw. */
export async function openDrawingModel(
  files: ModelFiles,
  devices: Devices,
  { signal, onProgress, ...options }: LoadOptions,
): Promise<DrawingModel> {
  let first: LoadOptions = { signal, onProgress };
  const open = async () => {
    const { device, kernels } = await devices.get();
    const model = await loadModel(device, files, { ...kernels, ...options, ...first });
    first = {}; // nobody waits for the next one
    return { model, close: () => model.destroy() };
  };
  const canComplete = hasEncoder(await openModelWeights(files, 'vq'));
  const capacity = capacityFor((await readConfig(files)).gpt);
  const engine = await createLastingEngine(open, { capacity });
  if (signal?.aborted) {
    engine.destroy();
    throw signal.reason;
  }
  const conditions = new Conditions(files, devices, engine.model.config, options);
  return {
    view: viewOf(engine, canComplete),
    async draw(asked, { signal, onEvent }) {
      const request = await conditions.read(asked, { signal, onEvent });
      for await (const event of engine.submit(request, { signal })) onEvent(event);
    },
    close() {
      engine.destroy();
      conditions.destroy();
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
