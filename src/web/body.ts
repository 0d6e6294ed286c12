/** Bodies of HTTP answers, read no further than they are needed. */

type Bytes = Uint8Array<ArrayBuffer>;

/** First allocation where the length of a body is not known. */
const FIRST_BYTES = 2 ** 16;

/** Ends an answer whose body nobody needs. */
export function drop({ body }: Response): void {
  // One that broke already needs no ending.
  if (!body?.locked) body?.cancel().catch(() => {});
}

/** Length of a body, unless it is that of a packed one. */
export function plainLength({ headers }: Response): number | undefined {
  const length = Number(headers.get('content-length') ?? Number.NaN);
  const packed = headers.get('content-encoding') ?? 'identity';
  return packed === 'identity' && Number.isSafeInteger(length) ? length : undefined;
}

/**
 * The bytes from `skip` to `skip + length` of a body.
 * @param isLast Whether the body must end there.
 * @returns `bytes`, fewer where the body is shorter, and whether more came than may. What follows is
 * not transferred.
 */
export async function readPart(
  response: Response,
  skip: number,
  length: number,
  isLast: boolean,
): Promise<{ bytes: Bytes; isLonger: boolean }> {
  const bytes = new Uint8Array(length);
  let at = -skip;
  let isLonger = false;
  await eachChunk(response, (chunk) => {
    const from = Math.max(0, -at);
    const piece = chunk.subarray(from, Math.max(from, length - at));
    bytes.set(piece, Math.max(0, at));
    at += chunk.byteLength;
    isLonger = at > length;
    return isLast ? !isLonger : at < length;
  });
  return { bytes: at < length ? bytes.subarray(0, Math.max(0, at)) : bytes, isLonger };
}

/**
 * A whole body.
 * @param expected Its length as far as one knows: packed bodies are longer once they are unpacked.
 * @param onChunk Called whenever some of it came.
 * @returns undefined when it is longer than `most`.
 */
export async function readWhole(
  response: Response,
  expected: number | undefined,
  most: number,
  onChunk: () => void = () => {},
): Promise<Bytes | undefined> {
  let bytes = new Uint8Array(Math.min(expected ?? FIRST_BYTES, most));
  let length = 0;
  await eachChunk(response, (chunk) => {
    onChunk();
    const end = length + chunk.byteLength;
    if (end <= most && end > bytes.byteLength) {
      const larger = new Uint8Array(Math.min(most, Math.max(end, 2 * bytes.byteLength)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    if (end <= most) bytes.set(chunk, length);
    length = end;
    return end <= most;
  });
  if (length > most) return undefined;
  return length === bytes.byteLength ? bytes : bytes.slice(0, length);
}

/** Hands on the chunks of a body until `wantsMore` is false, then ends it. */
async function eachChunk(
  response: Response,
  wantsMore: (chunk: Uint8Array) => boolean,
): Promise<void> {
  const reader = response.body?.getReader();
  for (;;) {
    const chunk = await reader?.read();
    if (!chunk || chunk.done) return;
    if (wantsMore(chunk.value)) continue;
    reader?.cancel().catch(() => {});
    return;
  }
}
