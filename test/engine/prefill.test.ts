/** Captions become the same condition tokens, keys and values, whatever passes they are filled in. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Captioned,
  conditionOf,
  firstOf,
  nextRows,
  type PrefillShape,
  prefillShape,
  rowsToFill,
  tokensOf,
} from '../../src/engine/plan-prefill.ts';
import { Prefill } from '../../src/engine/prefill.ts';
import { createSlots } from '../../src/engine/slots.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { loadModel, type Model } from '../../src/index.ts';
import { noCondition } from '../../src/models/gpt.ts';
import { anyCaption } from '../support/captions.ts';
import { testDevice } from '../support/device.ts';
import { goldenFolder } from '../support/golden-model.ts';

const SLOTS = 6;

let model: Model;
beforeAll(async () => {
  model = await loadModel(await testDevice(), await goldenFolder('t2i_tiny'));
});
afterAll(() => model.destroy());

const full: Captioned = { slot: 0, uncondSlot: 1, caption: anyCaption(12, 1) };
const short: Captioned = { slot: 4, uncondSlot: 2, caption: anyCaption(5, 2) };
const one: Captioned = { slot: 3, uncondSlot: undefined, caption: anyCaption(1, 3) };

/** Contents of what captions fill, by name. */
async function filled(
  captioned: readonly Captioned[],
  shape?: PrefillShape,
): Promise<Map<string, Uint32Array>> {
  const { gpt } = model;
  const slots = await createSlots(gpt, SLOTS, 8);
  const prefill = new Prefill(gpt, slots, shape);
  for (const { slot, uncondSlot = slot, caption } of captioned) {
    const first = Uint32Array.of(firstOf(gpt.config, caption));
    for (const where of [slot, uncondSlot]) slots.write('firsts', first, where);
  }
  await prefill.run(captioned);
  const contents = new Map<string, Uint32Array>();
  for (const [name, buffer] of slots.buffers) {
    if (!/kv$|conditions/.test(name)) continue;
    contents.set(name, new Uint32Array(await readBuffer(gpt.memory, buffer)));
  }
  prefill.destroy();
  slots.destroy();
  return contents;
}

/** The lines of `conditions` and of the caches that a request has. */
function linesOf(
  contents: ReadonlyMap<string, Uint32Array>,
  { slot, uncondSlot, caption }: Captioned,
) {
  const { clsTokenNum, blockSize, nKvHead, headDim, dim } = model.config.gpt;
  const at = (name: string, first: number, count: number): number[] => [
    ...contents.get(name)!.subarray(first, first + count),
  ];
  const first = firstOf(model.config.gpt, caption);
  const lines = [
    at('conditions', (conditionOf(model.config.gpt, slot) + first) * dim, caption.tokens * dim),
  ];
  for (const name of [...contents.keys()].filter((key) => key.endsWith('kv'))) {
    for (const where of [slot, ...(uncondSlot === undefined ? [] : [uncondSlot])]) {
      for (let head = 0; head < 2 * nKvHead; head++) {
        const part = Math.floor(head / nKvHead);
        const line = (part * SLOTS + where) * nKvHead + (head % nKvHead);
        const from = (line * (clsTokenNum + blockSize) + first) * headDim;
        lines.push(at(name, from, (caption.tokens - 1) * headDim));
      }
    }
  }
  return lines;
}

test('in one pass, in several, in those of one row, alone and together: bit for bit', async () => {
  const all = [full, one, short];
  const together = await filled(all);
  expect(together.size).toBe(3);
  for (const counts of [[1], [3], [64], [2, 16]]) {
    expect(await filled(all, { counts, rowsCost: counts.length > 1 })).toEqual(together);
  }
  for (const alone of all) {
    const own = linesOf(await filled([alone]), alone);
    expect(own).toEqual(linesOf(together, alone));
    expect(own.flat().some((word) => word !== 0)).toBe(true);
  }
});

describe('the rows of a caption', () => {
  test('are all tokens but the last, behind padding that has none', () => {
    const { gpt } = model.config;
    expect(tokensOf(gpt, short).map(({ place }) => place)).toEqual([55, 56, 57, 58, 59]);
    const rows = rowsToFill(gpt, SLOTS, short);
    expect(rows.map(({ position }) => position)).toEqual([7, 8, 9, 10, 7, 8, 9, 10]);
    expect(rows.map(({ slot }) => slot)).toEqual([4, 4, 4, 4, 2, 2, 2, 2]);
    expect(rows.map(({ condition }) => condition)).toEqual([
      ...Array(4).fill(48),
      ...Array(4).fill(noCondition(gpt, SLOTS)),
    ]);
    expect(rowsToFill(gpt, SLOTS, one)).toEqual([]);
  });

  test('go into passes that they fill where rows cost, else into few', () => {
    const passes = (left: number, software: boolean): number[] => {
      const rows = left > 0 ? nextRows(left, prefillShape(software)) : 0;
      return rows === 0 ? [] : [rows, ...passes(left - rows, software)];
    };
    expect(passes(46, true)).toEqual([32, 8, 8]);
    expect(passes(3, true)).toEqual([8]);
    expect(passes(22, false)).toEqual([32]);
    expect(passes(46, false)).toEqual([128]);
    expect(passes(1100, false)).toEqual([512, 512, 128]);
  });
});
