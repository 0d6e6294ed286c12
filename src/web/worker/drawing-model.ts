/** A model on a device that draws: classes or prompts in, events out. */
import { createLastingEngine } from '../../engine/lasting.ts';
import type { LastingEngine } from '../../engine/lasting-types.ts';
import { type LoadOptions, loadModel, readConfig } from '../../load/model.ts';
import { precisionName } from '../../models/precision.ts';
import { downsampleOf } from '../../models/vq-config.ts';
import { hasEncoder } from '../../weights/join.ts';
import { openModelWeights } from '../../weights/model-weights.ts';
import type { ModelFiles } from '../../weights/source.ts';
import type { ModelSource } from '../store/types.ts';
import { capacityFor } from './capacity.ts';
import { Conditions } from './conditions.ts';
import { type Devices, replaced } from './devices.ts';
import type { DrawEvent, DrawRequest, ModelView } from './protocol.ts';

interface DrawOptions {
  readonly signal: AbortSignal;
  readonly onEvent: (event: DrawEvent) => void;
}

interface OpenOptions extends LoadOptions {
  /** Where the files come from. */
  readonly source: ModelSource;
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
  { source, signal, onProgress, ...options }: OpenOptions,
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
  const create = () => createLastingEngine(open, { capacity });
  const engines = new RevivedEngine(create, await create());
  const conditions = new Conditions(files, devices, engines.last.model.config, options);
  return {
    get view() {
      return { ...viewOf(engines.last), source, canComplete };
    },
    async draw({ fingerprint, ...asked }, { signal, onEvent }) {
      const engine = await engines.get();
      const { digest } = engine.model.fingerprint;
      if (fingerprint !== undefined && fingerprint !== digest) throw replaced();
      const request = await conditions.read(asked, { signal, onEvent });
      for await (const event of engine.submit(request, { signal })) onEvent(event);
    },
    close() {
      engines.close();
      conditions.destroy();
    },
  };
}

/** An engine, and another in the place of one that gave up: what made it give up may be over. */
class RevivedEngine {
  readonly #create: () => Promise<LastingEngine>;
  #last: LastingEngine;
  #creating: Promise<LastingEngine> | undefined;
  #isClosed = false;

  constructor(create: () => Promise<LastingEngine>, first: LastingEngine) {
    this.#create = create;
    this.#last = first;
  }

  get last(): LastingEngine {
    return this.#last;
  }

  /** @throws What creating one throws; whoever asks again has it tried again. */
  async get(): Promise<LastingEngine> {
    if (this.#isClosed) throw replaced();
    if (!this.#last.ended) return this.#last;
    this.#creating ??= this.#revive().finally(() => {
      this.#creating = undefined;
    });
    return this.#creating;
  }

  close(): void {
    this.#isClosed = true;
    this.#last.destroy();
  }

  async #revive(): Promise<LastingEngine> {
    const next = await this.#create();
    this.#last = next;
    if (!this.#isClosed) return next;
    next.destroy();
    throw replaced();
  }
}

function viewOf({ model, capacity }: LastingEngine): Omit<ModelView, 'source' | 'canComplete'> {
  const { config, gpt, memory, fingerprint } = model;
  const { name, description, classNames, text, sampling, license } = config;
  const { modelType, gridSize } = config.gpt;
  return {
    ...{ name, description, modelType, classNames, text, sampling, license, gridSize, fingerprint },
    imageSize: gridSize * downsampleOf(config.vq),
    capacity,
    precision: precisionName(gpt.precision),
    gpuBytes: memory.weights + memory.state + memory.temp + memory.staging,
  };
}
