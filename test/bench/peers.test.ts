/** The parts of bench/peers that need no other runtime. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nmse, type PeerResult, refusal, withRatios } from '../../bench/peers/result.ts';
import { measurePeers, peersNotes, peersTables } from '../../bench/peers/suite.ts';
import { decoderLayers, type LayerOps } from '../../bench/peers/vq-layers.ts';
import {
  cacheOf,
  floatsOf,
  gptWorkload,
  inputOf,
  tokensOf,
  vqWorkload,
} from '../../bench/peers/workload.ts';
import type { Settings } from '../../bench/settings.ts';
import { ROOT } from '../support/sources.ts';

const SETTINGS: Settings = { runs: 1, quick: true, kv: 'f32', budget: 1, model: '', images: [] };

const ms = (min: number) => ({ first: 9 * min, min, median: 2 * min, runs: 3 });
const row = (more: Partial<PeerResult>): PeerResult => ({
  ...{ task: 'vq-16', runtime: 'peer', provider: 'WebGPU' },
  ...more,
});

test('the NMSE is the squared difference over the squares of the reference', () => {
  expect(nmse(Float32Array.of(1, 2, 2), Float32Array.of(1, 2, 4))).toBe(4 / 21);
  expect(nmse(Float32Array.of(3, 4), Float32Array.of(3, 4))).toBe(0);
  expect(nmse(Float32Array.of(Number.NaN, 4), Float32Array.of(3, 4))).toBeNaN();
  expect(() => nmse(Float32Array.of(1), Float32Array.of(1, 2))).toThrow('expected 2 values, got 1');
});

test('outputs that differ, or are no numbers, are refused', () => {
  expect(refusal(0)).toBeUndefined();
  expect(refusal(1e-4)).toBeUndefined();
  expect(refusal(1.1e-4)).toBe('its outputs are not ours: NMSE 1.1e-4, at most 1e-4 is allowed');
  expect(refusal(Number.NaN)).toContain('NMSE NaN');
  expect(refusal(Number.POSITIVE_INFINITY)).toContain('NMSE Infinity');
});

test('a ratio compares the fastest runs with the same bounds checks', () => {
  const results = withRatios(
    [
      row({ runtime: 'us', robust: false, ms: ms(2) }),
      row({ runtime: 'us', robust: true, ms: ms(4) }),
      row({ robust: false, ms: ms(20) }),
      row({ robust: true, ms: ms(20) }),
      row({ provider: 'CPU', ms: ms(1) }),
      row({ robust: false, reason: 'it died' }),
      row({ task: 'decode-2', robust: false, ms: ms(20) }),
    ],
    'us',
  );
  expect(results.map(({ ratio }) => ratio)).toEqual([
    ...[undefined, undefined, 10, 5, 0.5, undefined, undefined],
  ]);
});

test('a table has no times in a row without them, and its reason below', () => {
  const rows = [
    row({
      version: '1.2',
      robust: true,
      ms: ms(20),
      agrees: { metric: 'nmse', value: 2e-11 },
      ratio: 5,
    }),
    row({ provider: 'other', reason: 'it died' }),
    row({ task: 'decode-2', ms: ms(1) }),
  ];
  const [first, second] = peersTables(rows);
  expect(first?.slice(1)).toEqual([
    ['peer 1.2 (WebGPU)', 'on', '180', '20.0', '40.0', '5.00', '2.0e-11'],
    ['peer (other)', '', '-', '-', '-', '', '-'],
  ]);
  expect(second?.map(([name]) => name)).toEqual(['decode-2, ms', 'peer (WebGPU)']);
  expect(peersNotes(rows)).toEqual(['vq-16: peer (other): it died']);
});

describe('a comparison', () => {
  const asked = (cases?: readonly string[]) =>
    measurePeers({
      ...{ settings: { ...SETTINGS, ...(cases && { cases }) }, software: true, note: () => {} },
    });

  test('of a task that there is not lists what there is', async () => {
    await expect(asked(['decode-3'])).rejects.toThrow(/no case "decode-3".*\n {2}decode-2\n/);
  });

  test.skipIf(existsSync(join(ROOT, 'bench', 'peers', 'node_modules')))(
    'without the other runtimes says how to install them',
    async () => {
      await expect(asked()).rejects.toThrow('"npm install --ignore-scripts" in bench/peers');
    },
  );
});

test('a row is given its class, then the token before', async () => {
  const { config, file } = await gptWorkload();
  const tokens = tokensOf(2, config);
  expect(tokens).toHaveLength(512);
  const at = (line: number, position: number) => inputOf(line, position, 2, config, tokens);
  expect([0, 1, 2, 3].map((line) => at(line, 0))).toEqual([
    ...[{ label: 207 }, { label: 462 }, { label: 1000 }, { label: 1000 }],
  ]);
  expect(at(1, 129)).toEqual({ token: tokens[256 + 128] });
  expect(at(3, 129)).toEqual({ token: tokens[256 + 128] });
  // Of the golden case's own list of weights.
  const { shape, data } = await floatsOf(file, 'layers.0.attention.wo.weight');
  expect(shape).toEqual([768, 768]);
  expect([data[0], data.at(-1)]).toEqual([0.014618880115449429, 0.003911197185516357]);
});

test('caches of layers, keys and values differ and stay within one', () => {
  const all = [cacheOf(0, 'k', 99), cacheOf(0, 'v', 99), cacheOf(1, 'k', 99)];
  expect(new Set(all.map((values) => values.join())).size).toBe(3);
  for (const values of all) expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1);
});

test('the layers of the VQ decoder use every weight of the file once, at the right size', async () => {
  const { config, file, codes } = await vqWorkload(2);
  expect(codes).toHaveLength(4);
  /** A map is its channels and its side. */
  type Size = readonly [channels: number, side: number];
  // The second is in official files, and nothing uses it.
  const used = new Set(['quantize.embedding.weight', 'quantize.codebook_used']);
  const use = (name: string): readonly number[] => {
    for (const part of ['weight', 'bias']) {
      expect(used).not.toContain(`${name}.${part}`);
      used.add(`${name}.${part}`);
    }
    return file.tensors.get(`${name}.weight`)?.shape ?? [];
  };
  const ops: LayerOps<Size> = {
    lookup: (_, { shape, data }, side) => {
      expect(Math.hypot(...data.subarray(8, 16))).toBeCloseTo(1, 5);
      return [shape[1] ?? 0, side];
    },
    conv: async ([channels, side], name, kernel) => {
      const [out = 0, ...rest] = use(name);
      expect(rest).toEqual([channels, kernel, kernel]);
      return [out, side];
    },
    norm: async (x, name, channels, side) => {
      expect([...x, use(name)]).toEqual([channels, side, [channels]]);
      return x;
    },
    swish: (x) => x,
    add: (x, y) => {
      expect(x).toEqual(y);
      return x;
    },
    upsample: ([channels, side]) => [channels, 2 * side],
    attention: (q, _k, _v, channels, side) => {
      expect(q).toEqual([channels, side]);
      return q;
    },
  };
  expect(await decoderLayers(config, file, 2, [0, 0], ops)).toEqual([3, 32]);
  expect([...used].sort()).toEqual([...file.tensors.keys()].sort());
});
