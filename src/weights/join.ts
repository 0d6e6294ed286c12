/** Joins a file's tensors to the names and shapes a model wants. */
import { WeightsError } from '../errors.ts';
import { quote } from './quote.ts';

/** A tensor a model wants, by its state-dict name. */
export interface WantedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A file's tensors, whatever its format. */
export interface NamedTensors {
  /** Of the file, for messages. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, WantedTensor>;
}

export interface MatchOptions {
  /** What the tensors should be those of, for the message. Default: `this model`. */
  readonly model?: string | undefined;
  /** Names the file may hold beyond those wanted, besides IGNORED_TENSORS. */
  readonly ignore?: readonly RegExp[] | undefined;
}

/**
 * What checkpoints carry and no model needs; the official code leaves it unread (it loads with
 * strict=False): the RoPE table, the mask and cache of a decoder that has generated, training counts,
 * and the loss networks of a Lightning tokenizer.
 */
export const IGNORED_TENSORS: readonly RegExp[] = [
  /(^|\.)freqs_cis$/,
  /(^|\.)causal_mask$/,
  /(^|\.)kv_cache\./,
  /(^|\.)codebook_used$/,
  /(^|\.)num_batches_tracked$/,
  /^loss\./,
];

/** Whether no model needs a tensor of this name. */
export const isIgnored = (name: string): boolean =>
  IGNORED_TENSORS.some((pattern) => pattern.test(name));

/** What a VQ model needs only to encode; ignore it when loading just the decoder. */
export const ENCODER_TENSORS: readonly RegExp[] = [/^encoder\./, /^quant_conv\./];

/** Whether the file of a tokenizer came with its encoder. */
export const hasEncoder = ({ tensors }: Pick<NamedTensors, 'tensors'>): boolean =>
  tensors.has('quant_conv.weight');

/** And only to decode. */
export const DECODER_TENSORS: readonly RegExp[] = [/^decoder\./, /^post_quant_conv\./];

/** Lines shown per list; a wrong file may miss hundreds. */
const MAX_LINES = 10;

/**
 * Checks that the file holds exactly the wanted tensors, apart from ignored names.
 * @throws WeightsError that lists every missing, unexpected and misshapen tensor at once.
 */
export function matchTensors(
  file: NamedTensors,
  wanted: readonly WantedTensor[],
  options: MatchOptions = {},
): void {
  const names = new Set(wanted.map(({ name }) => name));
  const ignored = [...IGNORED_TENSORS, ...(options.ignore ?? [])];
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const { name, shape } of wanted) {
    const entry = file.tensors.get(name);
    if (!entry) missing.push(`${quote(name)} ${quote(shape)}`);
    else if (String(entry.shape) !== String(shape)) {
      misshapen.push(`${quote(name)} expected ${quote(shape)}, got ${quote(entry.shape)}`);
    }
  }
  const unexpected = [...file.tensors.values()]
    .filter(({ name }) => !names.has(name) && !ignored.some((pattern) => pattern.test(name)))
    .map(({ name, shape }) => `${quote(name)} ${quote(shape)}`);
  const problems = [
    list('missing', missing),
    list('unexpected', unexpected),
    list('of another shape', misshapen),
  ].filter((text) => text !== '');
  if (problems.length > 0) {
    throw new WeightsError(
      `${file.name}: the tensors are not those of ${options.model ?? 'this model'}\n${problems.join('\n')}`,
    );
  }
}

function list(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  const shown = lines.slice(0, MAX_LINES);
  if (lines.length > MAX_LINES) shown.push(`and ${lines.length - MAX_LINES} more`);
  return [`${lines.length} ${title}:`, ...shown.map((line) => `  ${line}`)].join('\n');
}
