/** tfjs's WebGPU backend as a runner, on the device that this project opens. */
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { VQ_GROUPS } from '../../../src/models/vq-config.ts';
import { openDevice } from '../../../src/node/device.ts';
import type { Safetensors } from '../../../src/weights/safetensors.ts';
import { type Outputs, type Runner, type Setup, serve } from '../runner.ts';
import { decoderLayers, type LayerOps } from '../vq-layers.ts';
import { floatsOf, vqWorkload } from '../workload.ts';

/** Feature maps are [1, side, side, channels] here. */
type Map4 = tf.Tensor4D;

const EPSILON = 1e-6;

await serve(async ({ task, side, robust }: Setup): Promise<Runner> => {
  if (task !== 'vq-16')
    throw new RangeError(`tfjs is compared on the VQ decoder only, not "${task}"`);
  const { device, adapter, software } = await openDevice({ robust });
  // The backend only looks whether it is there; the device is given.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: {} }, configurable: true });
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info));
  await tf.setBackend('webgpu');
  await tf.ready();
  const { config, file, codes } = await vqWorkload(side);
  const ids = tf.keep(tf.tensor1d(Int32Array.from(codes), 'int32'));
  const ops = opsOf(file, ids);
  const decode = async (): Promise<Outputs> => {
    const started = performance.now();
    // A scope frees what a run makes; constants are kept.
    tf.engine().startScope();
    try {
      const image = await decoderLayers(config, file, side, undefined, ops);
      const planes = tf.transpose(image ?? tf.scalar(0), [0, 3, 1, 2]);
      const values = await planes.data<'float32'>();
      return { values, ms: performance.now() - started };
    } finally {
      tf.engine().endScope();
    }
  };
  const { device: name, description } = adapter.info;
  return {
    version: tf.version_core,
    adapter: description || name,
    software,
    outputs: decode,
    sample: async () => (await decode()).ms,
  };
});

function opsOf(file: Safetensors, codes: tf.Tensor1D): LayerOps<Map4 | undefined> {
  const constants = new Map<string, Promise<tf.Tensor>>();
  const constant = (name: string): Promise<tf.Tensor> => {
    const made = constants.get(name) ?? floatsOf(file, name).then(upload);
    constants.set(name, made);
    return made;
  };
  let codebook: tf.Tensor2D | undefined;
  return {
    lookup(_, { shape, data }, side) {
      codebook ??= tf.keep(tf.tensor2d(data, [shape[0] ?? 0, shape[1] ?? 0]));
      return tf.reshape(tf.gather(codebook, codes), [1, side, side, shape[1] ?? 0]);
    },
    async conv(x, name) {
      const filter = (await constant(`${name}.weight`)) as tf.Tensor4D;
      return tf.add(tf.conv2d(given(x), filter, 1, 'same'), await constant(`${name}.bias`));
    },
    async norm(x, name, channels, side) {
      const groups = tf.reshape(given(x), [1, side ** 2, VQ_GROUPS, channels / VQ_GROUPS]);
      const { mean, variance } = tf.moments(groups, [1, 3], true);
      const scale = tf.rsqrt(tf.add(variance, EPSILON));
      const normed = tf.reshape(tf.mul(tf.sub(groups, mean), scale), [1, side, side, channels]);
      const scaled = tf.mul(normed, await constant(`${name}.weight`));
      return tf.add<Map4>(scaled, await constant(`${name}.bias`));
    },
    swish: (x) => tf.mul<Map4>(given(x), tf.sigmoid(given(x))),
    add: (x, y) => tf.add<Map4>(given(x), given(y)),
    upsample(x) {
      const [, height, width] = given(x).shape;
      return tf.image.resizeNearestNeighbor(given(x), [2 * height, 2 * width]);
    },
    attention(q, k, v, channels, side) {
      const flat = (x: Map4 | undefined): tf.Tensor2D =>
        tf.reshape(given(x), [side ** 2, channels]);
      const scores = tf.matMul(flat(q), flat(k), false, true);
      const probs = tf.softmax(tf.mul<tf.Tensor2D>(scores, channels ** -0.5));
      return tf.reshape(tf.matMul(probs, flat(v)), [1, side, side, channels]);
    },
  };
}

function given(x: Map4 | undefined): Map4 {
  if (!x) throw new RangeError('a layer has no input');
  return x;
}

/** Keeps a weight on the device; filters [out, in, height, width] become [height, width, in, out]. */
function upload({ shape, data }: Awaited<ReturnType<typeof floatsOf>>): tf.Tensor {
  if (shape.length !== 4) return tf.keep(tf.tensor(data, [...shape]));
  const [out = 0, inner = 0, height = 0, width = 0] = shape;
  const turned = new Float32Array(data.length);
  const area = height * width;
  for (const i of turned.keys()) {
    const [o, c, at] = [i % out, Math.floor(i / out) % inner, Math.floor(i / out / inner)];
    turned[i] = data[(o * inner + c) * area + at] ?? 0;
  }
  return tf.keep(tf.tensor4d(turned, [height, width, inner, out]));
}
