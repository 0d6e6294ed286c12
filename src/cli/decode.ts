/** `llamagen decode`: saved tokens back to pixels. */

import { decodeEach } from '../engine/decode-tokens.ts';
import { OptionError } from '../errors.ts';
import {
  type DecodeOptions as DecodeSettings,
  type Fingerprint,
  loadModel,
  type Model,
  type PrecisionName,
  precisionName,
} from '../index.ts';
import { openFolder } from '../node/files.ts';
import { type CommonOptions, withFastDevice } from './context.ts';
import { keepStdout, shownDestination } from './destinations.ts';
import { follower } from './estimate.ts';
import { readModelJson } from './models.ts';
import { openProfile, type ProfileOption, reportProfile } from './profile.ts';
import { describeAdapter, formatMs, type Report } from './report.ts';
import type { LookOptions } from './sheet-look.ts';
import { readTokens, type TokensImage } from './tokens-file.ts';
import { type DrawnImage, writeAll } from './write-images.ts';
import { planOf } from './write-plan.ts';

export interface DecodeOptions extends CommonOptions, LookOptions {
  readonly tokens: string;
  /** This, or `outDir`. */
  readonly out?: string | undefined;
  readonly outDir?: string | undefined;
  readonly precision?: PrecisionName | undefined;
  readonly profile?: ProfileOption | undefined;
}

/** Runs the command. The tokens are checked before the weights are read. */
export async function runDecode(
  options: DecodeOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { out = '', outDir } = options;
  if (options.out === undefined && outDir === undefined) {
    throw new OptionError('decode needs a file for the pictures (--out), or a folder (--out-dir)');
  }
  const files = openFolder(options.model);
  const config = await readModelJson(files);
  const { name, gpt, vq } = config;
  const limits = { gridSize: gpt.gridSize, codebookSize: vq.codebookSize };
  const { images, made: madeBy } = readTokens(options.tokens, limits);
  const planned = images.map((image) => ({
    condition: 'prompt' in image ? image.prompt : image.class,
    seed: image.seed,
  }));
  const plan = planOf({ ...options, out }, config, planned);
  keepStdout(options, report);
  await withFastDevice(report, async (device, adapter, { kernels }) => {
    const profiler = await openProfile(device, options.profile);
    const endLoad = profiler?.begin('load');
    const start = performance.now();
    const model = await loadModel(device, files, {
      ...{ ...kernels, signal },
      precision: options.precision,
    });
    const loadMs = performance.now() - start;
    endLoad?.();
    const precision = precisionName(model.gpt.precision);
    report.line(`model    ${model.name} (${precision})`);
    const decodeStart = performance.now();
    const follow = follower(report, images.length);
    const pictures = decoded(model, images, {
      signal,
      profiler,
      onProgress: (done, total) => {
        const elapsedMs = performance.now() - decodeStart;
        follow({ phase: 'decode', done, total, elapsedMs });
      },
    });
    const made = {
      adapter: describeAdapter(adapter, adapter.software),
      ...(madeBy?.model === name && madeBy),
      model: name,
      // Pixels are of the tokens' fingerprint where they are decoded with it, and of none elsewhere.
      fingerprint: sameOnly(madeBy?.fingerprint, model.fingerprint),
    };
    const written = await writeAll(plan, made, pictures, { report, signal });
    const decodeMs = performance.now() - decodeStart;
    report.line(`load     ${formatMs(loadMs)}`);
    report.line(`decode   ${formatMs(decodeMs)}  compilation included`);
    for (const file of written.files) report.line(`wrote ${shownDestination(file)}`);
    const profile = await reportProfile(report, device, profiler, options.profile);
    report.json({
      adapter,
      model: model.name,
      precision,
      fingerprint: made.fingerprint,
      timings: { load: loadMs, decode: decodeMs },
      files: written.files,
      profile,
    });
  });
}

const sameOnly = (a: Fingerprint | undefined, b: Fingerprint): Fingerprint | undefined =>
  a?.text === b.text ? b : undefined;

/** Saved tokens as images that are made. */
async function* decoded(
  model: Model,
  images: readonly TokensImage[],
  settings: DecodeSettings,
): AsyncGenerator<DrawnImage, void> {
  const rest = images.values();
  const grids = images.map(({ tokens }) => tokens);
  for await (const picture of decodeEach(model, grids, settings)) {
    const { value: image } = rest.next();
    if (!image) throw new Error('more pictures than grids');
    yield { ...picture, tokens: Uint32Array.from(image.tokens) };
  }
}
