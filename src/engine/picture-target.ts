/** Textures and buffers of an app that pictures go into without leaving the device. */
import { OptionError } from '../errors.ts';
import { checkOptions, integer, listOf, show } from '../options.ts';

/** Where the pixels of a picture go, on the device of the model. */
export type PictureTarget = TextureTarget | BufferTarget;

export interface TextureTarget {
  /** 2-D, with the usage COPY_DST: `rgba8unorm`, `bgra8unorm`, or either with `-srgb`. */
  readonly texture: GPUTexture;
  /** Where the upper left corner of the picture goes: column, row and layer. Default [0, 0, 0]. */
  readonly origin?: readonly [x: number, y: number, layer?: number] | undefined;
}

export interface BufferTarget {
  /** With the usage COPY_DST: gets R, G, B, A of each pixel, row by row without gaps. */
  readonly buffer: GPUBuffer;
  /** Where the picture begins, in bytes, a multiple of 4. Default 0. */
  readonly offset?: number | undefined;
}

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** How a target's pixels lie in the buffer that they are copied from. */
export interface RowLayout {
  /** Words from one row to the next. */
  readonly stride: number;
  readonly blueFirst: boolean;
}

/** Whether blue is the lowest byte of a pixel, by format. */
const BLUE_FIRST: ReadonlyMap<string, boolean> = new Map([
  ['rgba8unorm', false],
  ['rgba8unorm-srgb', false],
  ['bgra8unorm', true],
  ['bgra8unorm-srgb', true],
]);

/** Words that rows of a copy into a texture are a multiple of: 256 bytes. */
const ROW_WORDS = 64;

export function layoutOf(target: PictureTarget, width: number): RowLayout {
  if ('buffer' in target) return { stride: width, blueFirst: false };
  const blueFirst = BLUE_FIRST.get(target.texture.format) ?? false;
  return { stride: Math.ceil(width / ROW_WORDS) * ROW_WORDS, blueFirst };
}

const isTexture = (value: unknown): value is GPUTexture =>
  typeof GPUTexture === 'function' && value instanceof GPUTexture;
const isBuffer = (value: unknown): value is GPUBuffer =>
  typeof GPUBuffer === 'function' && value instanceof GPUBuffer;

const TARGET = {
  texture: (v: unknown) => (isTexture(v) ? undefined : 'a GPUTexture'),
  origin: (v: unknown) => (isOrigin(v) ? undefined : '[x, y] or [x, y, layer], integers from 0'),
  buffer: (v: unknown) => (isBuffer(v) ? undefined : 'a GPUBuffer'),
  offset: integer(0),
};

const isOrigin = (value: unknown): boolean =>
  [2, 3].some((length) => listOf('integers', integer(0), length)(value) === undefined);

/**
 * Checks all that can be told of a target before it is used: not whether it was destroyed, nor on which
 * device it is, which WebGPU says when the picture is copied.
 * @returns It, with nothing else in it.
 * @throws OptionError that says what it has to be.
 */
export function checkTarget(name: string, target: unknown, size: PictureSize): PictureTarget {
  checkOptions(name, target, TARGET);
  const { texture, origin, buffer, offset } = target as Partial<TextureTarget & BufferTarget>;
  if (texture && !buffer) {
    if (offset !== undefined) throw new OptionError(`"${name}": "offset" is for a buffer`);
    checkTexture(name, texture, origin ?? [0, 0], size);
    return { texture, origin };
  }
  if (buffer && !texture) {
    if (origin !== undefined) throw new OptionError(`"${name}": "origin" is for a texture`);
    checkBuffer(name, buffer, offset ?? 0, size);
    return { buffer, offset };
  }
  const got = texture ? 'both' : 'neither';
  throw new OptionError(`"${name}" expected either "texture" or "buffer", got ${got}`);
}

function checkTexture(
  name: string,
  texture: GPUTexture,
  [x, y, layer = 0]: readonly [number, number, number?],
  { width, height }: PictureSize,
): void {
  const { format, dimension, sampleCount, usage, depthOrArrayLayers: layers } = texture;
  const refuse = (expected: string, got: unknown): never => {
    throw new OptionError(`"${name}": the texture is expected ${expected}, got ${show(got)}`);
  };
  if (!BLUE_FIRST.has(format)) {
    refuse(`to have one of the formats ${[...BLUE_FIRST.keys()].join(', ')}`, format);
  }
  if (dimension !== '2d') refuse('to be of the dimension "2d"', dimension);
  if (sampleCount !== 1) refuse('to have one sample', sampleCount);
  if ((usage & GPUTextureUsage.COPY_DST) === 0) refuse('to have the usage COPY_DST', usage);
  if (x + width > texture.width || y + height > texture.height) {
    const size = `${texture.width} x ${texture.height}`;
    refuse(`to hold a picture of ${width} x ${height} pixels at [${x}, ${y}]`, size);
  }
  if (layer >= layers) refuse(`to have a layer ${layer}`, layers);
}

function checkBuffer(
  name: string,
  { size, usage }: GPUBuffer,
  offset: number,
  { width, height }: PictureSize,
): void {
  const refuse = (expected: string, got: unknown): never => {
    throw new OptionError(`"${name}": expected ${expected}, got ${show(got)}`);
  };
  if ((usage & GPUBufferUsage.COPY_DST) === 0) refuse('a buffer with the usage COPY_DST', usage);
  if (offset % 4 !== 0) refuse('an "offset" that is a multiple of 4', offset);
  const bytes = 4 * width * height;
  if (offset + bytes > size) {
    refuse(`a buffer with ${bytes} bytes for ${width} x ${height} pixels from ${offset} on`, size);
  }
}

/** Records the copy of a picture into its target, from a buffer in the target's layout. */
export function copyInto(
  encoder: GPUCommandEncoder,
  source: GPUBuffer,
  offset: number,
  target: PictureTarget,
  { width, height }: PictureSize,
): void {
  if ('buffer' in target) {
    const bytes = 4 * width * height;
    encoder.copyBufferToBuffer(source, offset, target.buffer, target.offset ?? 0, bytes);
    return;
  }
  const { texture, origin = [0, 0] } = target;
  const bytesPerRow = 4 * layoutOf(target, width).stride;
  const from = { buffer: source, offset, bytesPerRow, rowsPerImage: height };
  encoder.copyBufferToTexture(from, { texture, origin: [...origin] as number[] }, [width, height]);
}
