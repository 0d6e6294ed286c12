/** Sizes of a LlamaGen tokenizer: official names in, what graphs need out (vq_model.py, ModelArgs). */
import { Fields } from './json-fields.ts';

export interface VqConfig {
  /** Channels that the multipliers multiply. */
  readonly ch: number;
  /** Channels of each encoder level over `ch`, from high to low resolution. */
  readonly encoderChMult: readonly number[];
  /** Channels of each decoder level over `ch`, also from high to low resolution. */
  readonly decoderChMult: readonly number[];
  /** Residual blocks of an encoder level; decoder levels have one more. */
  readonly numResBlocks: number;
  /** Channels between the networks and the 1x1 convolutions around the codebook. */
  readonly zChannels: number;
  readonly codebookSize: number;
  /** Length of a codebook vector. */
  readonly codebookEmbedDim: number;
  /** Normalise latents and codebook vectors to length 1. */
  readonly codebookL2Norm: boolean;
  /** Channels of the image that is encoded. */
  readonly inChannels: number;
  /** Channels of the image that is decoded. */
  readonly outChannels: number;
}

/** What of a tokenizer is used. Both directions need the codebook. */
export type VqPart = 'encoder' | 'decoder' | 'both';

/** State-dict name of the codebook. */
export const CODEBOOK = 'quantize.embedding.weight';

/** Groups of every GroupNorm; the official code fixes it. */
export const VQ_GROUPS = 32;

/** Bounds that no model comes near; beyond them a config is broken, not big. */
const MAX_CHANNELS = 65536;
const MAX_LEVELS = 8;
const MAX_MULTIPLIER = 64;
const MAX_BLOCKS = 64;
const MAX_CODEBOOK = 2 ** 20;

const official = (chMult: readonly number[]): VqConfig => ({
  ch: 128,
  encoderChMult: chMult,
  decoderChMult: chMult,
  numResBlocks: 2,
  zChannels: 256,
  codebookSize: 16384,
  codebookEmbedDim: 8,
  codebookL2Norm: true,
  inChannels: 3,
  outChannels: 3,
});

/** The official tokenizer of 8x8 pixels to a code. */
export const VQ_8: VqConfig = official([1, 2, 2, 4]);
/** The official tokenizer of 16x16 pixels to a code. */
export const VQ_16: VqConfig = official([1, 1, 2, 2, 4]);

/** Rows and columns of pixels that one code stands for. */
export const downsampleOf = (config: VqConfig): number => 2 ** (config.decoderChMult.length - 1);

/**
 * Reads the official ModelArgs. The multipliers must be there, as `encoder_ch_mult` and
 * `decoder_ch_mult` or as one `ch_mult`; other fields have the official defaults; unknown ones are
 * ignored.
 * @param where What to call the object in messages.
 * @throws WeightsError that names field, value and expectation.
 */
export function parseVqConfig(json: unknown, where = 'vq'): VqConfig {
  const fields: Fields = new Fields(where, json);
  const ch = fields.integer('ch', 1, MAX_CHANNELS, VQ_16.ch);
  const encoderChMult = multipliers(fields, 'encoder_ch_mult', ch);
  const decoderChMult = multipliers(fields, 'decoder_ch_mult', ch);
  const levels = encoderChMult.length;
  if (decoderChMult.length !== levels) {
    const expected = `${levels} levels, as many as "encoder_ch_mult"`;
    fields.fail('decoder_ch_mult', expected, decoderChMult);
  }
  if (ch % VQ_GROUPS !== 0) fields.fail('ch', `a multiple of ${VQ_GROUPS} (GroupNorm)`, ch);
  const l2Norm = fields.get('codebook_l2_norm') ?? VQ_16.codebookL2Norm;
  if (typeof l2Norm !== 'boolean') fields.fail('codebook_l2_norm', 'true or false', l2Norm);
  const channels = (name: string, fallback: number): number =>
    fields.integer(name, 1, MAX_CHANNELS, fallback);
  const config: VqConfig = {
    ch,
    encoderChMult,
    decoderChMult,
    numResBlocks: fields.integer('num_res_blocks', 1, MAX_BLOCKS, VQ_16.numResBlocks),
    zChannels: channels('z_channels', VQ_16.zChannels),
    codebookSize: fields.integer('codebook_size', 1, MAX_CODEBOOK, VQ_16.codebookSize),
    codebookEmbedDim: channels('codebook_embed_dim', VQ_16.codebookEmbedDim),
    codebookL2Norm: l2Norm,
    inChannels: channels('in_channels', VQ_16.inChannels),
    outChannels: fields.integer('out_channels', 3, 3, VQ_16.outChannels),
  };
  const downsample = fields.integer('downsample', 1, 2 ** MAX_LEVELS, downsampleOf(config));
  if (downsample !== downsampleOf(config)) {
    fields.fail('downsample', `${downsampleOf(config)}, for ${levels} levels`, downsample);
  }
  return config;
}

function multipliers(fields: Fields, own: string, ch: number): readonly number[] {
  const name = fields.get(own) === undefined ? 'ch_mult' : own;
  const value = fields.get(name);
  const usable = (m: unknown): m is number =>
    Number.isInteger(m) && (m as number) >= 1 && (m as number) <= MAX_MULTIPLIER;
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_LEVELS) {
    return fields.fail(name, `an array of 1 to ${MAX_LEVELS} multipliers of "ch" (${ch})`, value);
  }
  if (!value.every(usable)) {
    return fields.fail(name, `whole numbers from 1 to ${MAX_MULTIPLIER}`, value);
  }
  return value;
}

/** Values in the weights of one direction, or of both with the codebook counted once. */
export function vqParameterCount(config: VqConfig, part: VqPart = 'both'): number {
  const { codebookSize, codebookEmbedDim, zChannels } = config;
  const encoder = encoderCount(config) + conv(zChannels, codebookEmbedDim, 1);
  const decoder = decoderCount(config) + conv(codebookEmbedDim, zChannels, 1);
  const codebook = codebookSize * codebookEmbedDim;
  return codebook + (part === 'decoder' ? 0 : encoder) + (part === 'encoder' ? 0 : decoder);
}

const conv = (from: number, to: number, size: number): number => to * (from * size * size + 1);
const norm = (channels: number): number => 2 * channels;
const attention = (channels: number): number => norm(channels) + 4 * conv(channels, channels, 1);
const resnet = (from: number, to: number): number =>
  norm(from) +
  conv(from, to, 3) +
  norm(to) +
  conv(to, to, 3) +
  (from === to ? 0 : conv(from, to, 1));
const mid = (channels: number): number => 2 * resnet(channels, channels) + attention(channels);
/** A level's residual blocks, the first of which changes the channels. */
const level = (from: number, to: number, blocks: number): number =>
  resnet(from, to) + (blocks - 1) * resnet(to, to);

function encoderCount({
  ch,
  encoderChMult,
  numResBlocks,
  inChannels,
  zChannels,
}: VqConfig): number {
  const levels = encoderChMult.map((m) => m * ch);
  const last = levels.at(-1) ?? ch;
  const blocks = levels.reduce((n, to, i) => n + level(levels[i - 1] ?? ch, to, numResBlocks), 0);
  const downsamples = levels.slice(0, -1).reduce((n, c) => n + conv(c, c, 3), 0);
  const ends = conv(inChannels, ch, 3) + norm(last) + conv(last, zChannels, 3);
  return ends + blocks + downsamples + mid(last) + numResBlocks * attention(last);
}

function decoderCount({
  ch,
  decoderChMult,
  numResBlocks,
  outChannels,
  zChannels,
}: VqConfig): number {
  const levels = decoderChMult.map((m) => m * ch).reverse();
  const first = levels[0] ?? ch;
  const last = levels.at(-1) ?? ch;
  const each = numResBlocks + 1;
  const blocks = levels.reduce((n, to, i) => n + level(levels[i - 1] ?? first, to, each), 0);
  const upsamples = levels.slice(0, -1).reduce((n, c) => n + conv(c, c, 3), 0);
  const ends = conv(zChannels, first, 3) + norm(last) + conv(last, outChannels, 3);
  return ends + blocks + upsamples + mid(first) + each * attention(first);
}
