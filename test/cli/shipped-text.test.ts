/** Prompts without `--model`: the text model that ships. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runEmbed } from '../../src/cli/embed.ts';
import { runGenerate } from '../../src/cli/generate.ts';
import { readFeaturesFile } from '../../src/generate/features-file.ts';
import { openFile } from '../../src/node/files.ts';
import { readPngFacts } from '../../src/node/png-read.ts';
import { readMade } from '../../src/picture/made.ts';
import { commandLine } from '../support/command-line.ts';
import { recordedReport } from '../support/report.ts';

vi.setConfig({ testTimeout: 180_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-scenes-'));
  vi.stubEnv('LLAMAGEN_CACHE', join(folder, 'cache'));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const never = new AbortController().signal;
const PROMPT = 'a cat to the left of a slice of pizza on a blue ground';
/** Of that ground, as the recipe draws it. */
const BLUE = [88, 136, 222];

test('a prompt becomes a picture on the ground that it asks for', async () => {
  const out = join(folder, 'cat.png');
  const { report, stdout, stderr } = recordedReport();
  const asked = { prompt: [PROMPT], out, count: 1, seed: 1, dtype: 'auto', scale: 1 } as const;
  await runGenerate(asked, report, never);
  expect(stdout()).toMatch(/\nmodel {4}scenes-96/);
  expect(stderr()).toMatch(/^scenes-96 knows 253 things \(/);
  const images = [{ prompt: PROMPT, seed: 1 }];
  expect(readMade(readPngFacts(out).text)).toMatchObject({ model: 'scenes-96', images });
  const { width, height, channels, data } = decode(readFileSync(out));
  expect([width, height]).toEqual([96, 96]);
  const isBlue = (pixel: number): boolean =>
    BLUE.every((value, i) => Math.abs(value - Number(data[pixel * channels + i])) < 16);
  const blue = Array.from({ length: width * height }, (_, i) => i).filter(isBlue);
  // Two things on it cover a part.
  expect(blue.length / (width * height)).toBeGreaterThan(0.3);
  expect(blue.length / (width * height)).toBeLessThan(0.95);
});

test('its features alone are written', async () => {
  const out = join(folder, 'features.safetensors');
  const { report, stdout } = recordedReport();
  await runEmbed({ prompt: ['two lemons'], out }, report, never);
  expect(stdout()).toMatch(/^prompt 0 +3 tokens: two lemons$/m);
  const { features } = await readFeaturesFile(await openFile(out));
  expect(features).toMatchObject([{ prompt: 'two lemons', tokens: 3, dim: 256 }]);
});

test('what it knows is listed', async () => {
  const { code, stdout } = await commandLine('info', 'scenes-96');
  expect(code).toBe(0);
  for (const word of ['cat', 'slice of pizza', 'lemon']) expect(stdout).toContain(word);
});
