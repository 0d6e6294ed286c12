/** What pictures depend on besides classes, seeds and settings. */
import type { Variant } from '../../kernels/kernel.ts';
import type { ModelJson } from '../models/model-json.ts';
import { headDtypeOf, type Precision, precisionName, tableDtypeOf } from '../models/precision.ts';
import type { Tiles } from '../ops/tiles.ts';
import { VERSION } from '../version.ts';
import { shortDigest } from '../weights/digest.ts';

/**
 * What a model on a device computes with. Equal fingerprints, seeds and settings mean equal pixels;
 * with others they may differ: in the last bits of sums, and so now and then in a token.
 */
export interface Fingerprint {
  /** Version, model, adapter, precision and kernels, with "; " between. */
  readonly text: string;
  /** 16 hexadecimal digits of the text's SHA-256. */
  readonly digest: string;
}

/** Names of the parts of a fingerprint's text, in order. */
const PARTS = ['version', 'model', 'adapter', 'precision', 'kernels'] as const;

interface ModelFacts {
  readonly name: string;
  /** Digests of the weights of decoder and tokenizer. */
  readonly weights: readonly string[];
  /** What else decides what the networks compute. */
  readonly config: unknown;
}

/** @param weights Digests of the weights of decoder and tokenizer. */
export const modelFacts = (
  { name, gpt, vq }: ModelJson,
  weights: readonly [gpt: string, vq: string],
): ModelFacts => ({ name, weights, config: [gpt, vq] });

interface FingerprintFacts {
  readonly model: ModelFacts;
  readonly adapter: Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>;
  readonly precision: Precision;
}

export async function fingerprintOf(facts: FingerprintFacts): Promise<Fingerprint> {
  const { model, adapter, precision } = facts;
  const { vendor, architecture, device, description } = adapter;
  const weights = await shortDigest([...model.weights, JSON.stringify(model.config)].join('\n'));
  const parts: Readonly<Record<(typeof PARTS)[number], string>> = {
    version: VERSION,
    model: `${model.name} ${weights}`,
    // Dawn says the driver and its version in the description; browsers say nothing there.
    adapter: [vendor, architecture, device, description].filter(Boolean).join(' '),
    precision: describePrecision(precision),
    kernels: await describeKernels(precision),
  };
  // Names come from files.
  const text = PARTS.map((part) => parts[part].replaceAll(';', ',')).join('; ');
  return { text, digest: await shortDigest(text) };
}

/** Names of the parts in which two texts differ. */
export function differingParts(a: string, b: string): string[] {
  const others = b.split('; ');
  return a.split('; ').flatMap((part, i) => {
    const name = PARTS[i] ?? 'other parts';
    return part === others[i] ? [] : [name];
  });
}

/** E.g. `fast, f16 weights, f16 cache`. */
export function describePrecision(precision: Precision): string {
  const { dtype, kvDtype } = precision;
  const others = { head: headDtypeOf(precision), embeddings: tableDtypeOf(precision) };
  return [
    precisionName(precision),
    `${dtype} weights`,
    ...Object.entries(others).flatMap(([name, own]) => (own === dtype ? [] : [`${own} ${name}`])),
    `${kvDtype} cache`,
  ].join(', ');
}

/** E.g. `serial, lanes 4, packed halves, own tiles`. */
async function describeKernels({ variant, tiles }: Precision): Promise<string> {
  return [variant.reduce, ...describeDevice(variant), await describeTiles(tiles)].join(', ');
}

function describeDevice({ lanes, invocations, f16, matrix }: Variant): string[] {
  return [
    ...(lanes === undefined ? [] : [`lanes ${lanes}`]),
    // One GPU gives devices with the default limits, and with more.
    ...(invocations === undefined ? [] : [`workgroups of ${invocations}`]),
    f16 ? 'native halves' : 'packed halves',
    ...(matrix ? [`${matrix.operand} matrices ${matrix.m}x${matrix.n}x${matrix.k}`] : []),
  ];
}

async function describeTiles(tiles: Tiles = {}): Promise<string> {
  const lines = Object.entries(tiles).map(([key, tile]) => {
    return `${key} ${JSON.stringify(Object.entries(tile).sort())}`;
  });
  return lines.length === 0 ? 'own tiles' : `tiles ${await shortDigest(lines.sort().join('\n'))}`;
}
