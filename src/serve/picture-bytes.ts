/** Pictures as the files that clients asked for. */
import type { Sharp } from 'sharp';
import { samplingOf } from '../engine/sampling-options.ts';
import { encodePngAside } from '../node/png.ts';
import { oneLine, pictureText } from '../picture/made.ts';
import type { JobPicture } from './backend.ts';
import type { Asked, Size } from './read-request.ts';

type SharpFunction = typeof import('sharp');

/** How a picture came about, for what its file says of itself. */
export interface Made {
  readonly seed: number;
  readonly encoder?: string | undefined;
}

/** Content types of formats. */
export const CONTENT_TYPES = { png: 'image/png', webp: 'image/webp', jpeg: 'image/jpeg' } as const;

export type FileAsked = Pick<
  Asked,
  'model' | 'condition' | 'subject' | 'sampling' | 'size' | 'format' | 'quality'
>;

/**
 * A PNG says how it was made, as those of the command line do, and has the same bytes where it is not
 * resized; of others the description of the picture says it.
 * @param made Left out for previews, which say nothing and have the model's size.
 */
export async function pictureFile(
  sharp: SharpFunction,
  picture: JobPicture,
  asked: FileAsked,
  made?: Made,
): Promise<Uint8Array> {
  const text = made && textOf(asked, made);
  const { format, quality } = asked;
  const size = made ? asked.size : picture;
  if (format === 'png') {
    const { width, height, rgba } = await resized(sharp, picture, size);
    return encodePngAside({ width, height, rgba: clamped(rgba) }, { text });
  }
  const image = ofPixels(sharp, picture, size);
  if (text) image.withExif({ IFD0: exifOf(text) });
  // Previews are transparent where nothing is drawn yet, and JPEG has no transparency.
  if (format === 'jpeg')
    return image
      .flatten({ background: '#808080' })
      .jpeg({ quality: Math.max(1, quality) })
      .toBuffer();
  return image.webp({ quality, lossless: quality === 100 }).toBuffer();
}

function textOf({ model, condition, subject, sampling }: FileAsked, made: Made) {
  const { seed, encoder } = made;
  const image =
    'classIndex' in condition
      ? { class: condition.classIndex, className: subject, seed }
      : { prompt: condition.prompt, seed };
  return pictureText({
    ...{ model: model.name, dtype: model.dtype, adapter: model.adapter, encoder },
    fingerprint: model.fingerprint,
    sampling: samplingOf(model, sampling),
    images: [image],
  });
}

/** Texts of EXIF are ASCII by its letter; readers take UTF-8. */
const exifOf = ({ Description = '', Software = '' }: Readonly<Record<string, string>>) => ({
  ImageDescription: oneLine(Description),
  Software,
});

function ofPixels(sharp: SharpFunction, picture: JobPicture, size: Size): Sharp {
  const { width, height, rgba } = picture;
  const image = sharp(rgba, { raw: { width, height, channels: 4 } });
  const isSame = size.width === width && size.height === height;
  // Of another shape it keeps its middle.
  return isSame ? image : image.resize(size.width, size.height, { fit: 'cover' });
}

async function resized(sharp: SharpFunction, picture: JobPicture, size: Size): Promise<JobPicture> {
  if (size.width === picture.width && size.height === picture.height) return picture;
  const rgba = await ofPixels(sharp, picture, size).raw().toBuffer();
  return { ...size, rgba };
}

const clamped = ({
  buffer,
  byteOffset,
  byteLength,
}: Uint8Array): Uint8ClampedArray<ArrayBuffer> => {
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError('pixels in shared memory');
  return new Uint8ClampedArray(buffer, byteOffset, byteLength);
};
