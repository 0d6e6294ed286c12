/** Official checkpoints, as a person drops them on the page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/sources.ts';
import { tinyFiles } from '../../support/tiny-model.ts';
import { type PtInput, writePt } from '../../support/zip.ts';

/** A decoder that the official code saved, and a tokenizer for its codes as that code saves one. */
export function droppedCheckpoints(): Record<string, Uint8Array> {
  const size = { codebook_size: 48 };
  const { 'vq.safetensors': vq } = tinyFiles({ gpt: { vocab_size: 48 }, vq: size, encoder: true });
  return {
    'ddp_model.pt': readFileSync(join(ROOT, 'test/golden/pt_checkpoints/ddp_model.pt')),
    'vq.pt': writePt(ptInputs(vq!)),
    // What shapes do not tell.
    'config.json': new TextEncoder().encode('{"n_head":2,"block_size":16}'),
  };
}

/** The tensors of a safetensors file. */
function ptInputs(bytes: Uint8Array): Record<string, PtInput> {
  const begin = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header: Record<string, { shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, begin)),
  );
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__');
  return Object.fromEntries(
    tensors.map(
      (
        [
          name,
          {
            shape,
            data_offsets: [from, to],
          },
        ],
        i,
      ) => {
        const data = bytes.slice(begin + from, begin + to);
        return [name, { key: `${i}`, elements: data.length / 4, shape, data }];
      },
    ),
  );
}
