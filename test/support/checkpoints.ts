/** Checkpoints of any size: tensors under official names, with zeros that take no space on disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import type { WantedTensor } from '../../src/weights/join.ts';
import { ROOT } from './sources.ts';
import { type PtInput, writePt } from './zip.ts';

/** Class of a storage in `torch`, and bytes of an element. */
const STORAGES = { f32: ['FloatStorage', 4], bf16: ['BFloat16Storage', 2] } as const;

/** A state dict of zeros. */
export function zeros(
  tensors: readonly WantedTensor[],
  dtype: keyof typeof STORAGES = 'f32',
): Record<string, PtInput> {
  const [storage, size] = STORAGES[dtype];
  return Object.fromEntries(
    tensors.map(({ name, shape }, i) => {
      const elements = shape.reduce((n, d) => n * d, 1);
      return [name, { storage, key: `${i}`, elements, shape, data: elements * size }];
    }),
  );
}

/** A state dict of small whole numbers, exact in every type: tensor i counts from i, modulo 128. */
export function counting(tensors: readonly WantedTensor[]): Record<string, PtInput> {
  return Object.fromEntries(
    tensors.map(({ name, shape }, i) => {
      const elements = shape.reduce((n, d) => n * d, 1);
      const values = Float32Array.from({ length: elements }, (_, e) => (i + e) % 128);
      const data = new Uint8Array(values.buffer);
      return [name, { key: `${i}`, elements, shape, data }];
    }),
  );
}

/** Files of a decoder of torch.save and a tokenizer, with what their shapes do not tell. */
export function tinyCheckpoints(): Record<'ddp_model.pt' | 'vq.pt' | 'config.json', Uint8Array> {
  const vq = parseVqConfig({
    ...{ ch: 32, ch_mult: [1, 2], num_res_blocks: 1 },
    ...{ z_channels: 32, codebook_size: 48 },
  });
  const decoder = join(ROOT, 'test', 'golden', 'pt_checkpoints', 'ddp_model.pt');
  return {
    'ddp_model.pt': readFileSync(decoder),
    'vq.pt': writePt(counting(vqWeightShapes(vq))),
    'config.json': new TextEncoder().encode('{"n_head":2,"block_size":16}'),
  };
}
