/** Whether this machine computes with the fingerprint of a picture. */
import { DeviceError, OptionError } from '../errors.ts';
import {
  describePrecision,
  differingParts,
  type Fingerprint,
  fingerprintOf,
  modelFacts,
} from '../load/fingerprint.ts';
import { gptPrecision, type PrecisionOptions } from '../load/precision.ts';
import type { ModelJson } from '../models/model-json.ts';
import { PRECISIONS, WEIGHT_DTYPES } from '../models/precision.ts';
import { type NodeDevice, openDevice } from '../node/device.ts';
import { openFolder } from '../node/files.ts';
import { digestOfFile } from '../weights/digest.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import type { ModelFiles } from '../weights/source.ts';
import { findModels, readModelJson } from './models.ts';

/** What a comparison says. */
export interface Here {
  /** Undefined where it cannot be told. */
  readonly same: boolean | undefined;
  /** In words. */
  readonly says: string;
}

/** Compares a fingerprint with that of the model of that name on this machine's adapter; nothing is loaded. */
export async function compareHere(theirs: Fingerprint, modelName: string): Promise<Here> {
  try {
    const { files, config } = await modelNamed(modelName);
    const opened = await openDevice();
    try {
      const ours = await fingerprintHere(opened, files, config, theirs);
      if (ours.text === theirs.text) return { same: true, says: 'the same on this machine' };
      const parts = differingParts(theirs.text, ours.text).join(', ');
      const says = `another on this machine (${parts}): pixels may differ here; it is ${ours.text}`;
      return { same: false, says };
    } finally {
      opened.close();
    }
  } catch (error) {
    if (!(error instanceof OptionError || error instanceof DeviceError)) throw error;
    return { same: undefined, says: `cannot be compared here: ${error.message}` };
  }
}

async function modelNamed(name: string): Promise<{ files: ModelFiles; config: ModelJson }> {
  for (const folder of findModels()) {
    const files = openFolder(folder);
    const config = await readModelJson(files).catch(() => undefined);
    if (config?.name === name) return { files, config };
  }
  throw new OptionError(`no model "${name}" is on this machine`);
}

/** What a model would have here if it were asked for as it was there. */
async function fingerprintHere(
  { device, kernels }: NodeDevice,
  files: ModelFiles,
  config: ModelJson,
  { text }: Fingerprint,
): Promise<Fingerprint> {
  const gpt = await openModelWeights(files, 'gpt');
  const vq = await openModelWeights(files, 'vq');
  const [, , , theirs = ''] = text.split('; ');
  // What was left to the adapter there and what was asked for by name look alike.
  const [asStored, asked] = [false, true].map((named) =>
    gptPrecision(device, gpt, { ...kernels, ...askedFor(theirs, named) }),
  );
  const precision = asked && describePrecision(asked) === theirs ? asked : asStored;
  if (!precision) throw new Error('no precision');
  return fingerprintOf({
    model: modelFacts(config, [await digestOfFile(gpt), await digestOfFile(vq)]),
    adapter: device.adapterInfo,
    precision,
  });
}

/** The options that a part `precision` of a fingerprint tells of; whatever else stands there is left out. */
function askedFor(part: string, named: boolean): PrecisionOptions {
  const word = (pattern: RegExp): string | undefined => pattern.exec(part)?.[1];
  const dtype = WEIGHT_DTYPES.find((name) => name === word(/(\w+) weights/));
  const kvDtype = (['f32', 'f16'] as const).find((name) => name === word(/(\w+) cache/));
  const precision = PRECISIONS.find((name) => name === word(/^(\w+)/));
  return { precision, kvDtype, ...(named && { dtype }) };
}
