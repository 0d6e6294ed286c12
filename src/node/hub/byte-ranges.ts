/** Some bytes of a file of the hub, by their place in it. */
import { DownloadError } from '../../errors.ts';
import { isSha256 } from '../../hub/answer.ts';
import { TransientError } from '../../hub/transient.ts';
import type { ByteSource } from '../../weights/source.ts';
import { contentRange, getBytes } from './get.ts';
import type { Response } from './http.ts';
import { discard, validatorOf } from './part-file.ts';
import type { Transfer } from './transfer.ts';

/** Reads ranges of one version of a file. */
export class ByteRanges {
  readonly #transfer: Transfer;
  /** The version as the server calls it; undefined before the first answer, or where it has no name. */
  #validator: string | undefined;

  /** @param validator Of the part file that is to be gone on with, if there is one. */
  constructor(transfer: Transfer, validator: string | undefined) {
    this.#transfer = transfer;
    this.#validator = isSha256(transfer.file.etag) ? undefined : validator;
  }

  /** The name of the version, which joins what came in several answers. */
  get validator(): string | undefined {
    return this.#validator;
  }

  /**
   * The bytes from `first` to `last`, both included.
   * @returns An answer that holds them and no others, and the length of the file.
   * @throws TransientError when the file changed meanwhile: what came of the other version is gone.
   */
  async request(first: number, last: number): Promise<{ response: Response; total: number }> {
    const { asked, file, paths } = this.#transfer;
    const response = await getBytes(this.#transfer, {
      range: `bytes=${first}-${last}`,
      ...(this.#validator !== undefined && { 'if-range': this.#validator }),
    });
    const { statusCode: status } = response;
    const range = contentRange(response);
    const total = range.total ?? file.bytes;
    const isAsked = status === 206 && range.first === first && range.last === last;
    if (isAsked && total !== undefined && total === (file.bytes ?? total)) {
      // A hash of the content joins what any server sends; else only what one server calls the same.
      if (!isSha256(file.etag)) this.#validator ??= validatorOf(response);
      return { response, total };
    }
    response.body.destroy();
    if (status === 200 && this.#validator === undefined) {
      throw new DownloadError(
        'server',
        `${asked.file}: ${file.url.host} sends whole files only, and a part of this one is wanted: set HF_ENDPOINT to a mirror that knows ranges`,
      );
    }
    discard(paths);
    const got = status === 206 ? `"${range.text}"` : `an answer of ${status}`;
    throw new TransientError(
      'server',
      `${asked.file}: asked for the bytes ${first} to ${last}, got ${got}: starting again`,
    );
  }

  /** The file as what headers are read from. Each read is a request. */
  async source(): Promise<ByteSource> {
    const { asked, file } = this.#transfer;
    const byteLength = file.bytes ?? (await this.#askLength());
    return {
      name: `${asked.repo}/${asked.file}`,
      byteLength,
      read: async (offset, length) => {
        if (length === 0) return new Uint8Array(0);
        return this.#read(offset, offset + length - 1);
      },
    };
  }

  async #askLength(): Promise<number> {
    const { response, total } = await this.request(0, 0);
    await response.body.dump();
    return total;
  }

  async #read(first: number, last: number): Promise<Uint8Array<ArrayBuffer>> {
    const { http, file, asked } = this.#transfer;
    const { response } = await this.request(first, last);
    const bytes = await response.body.bytes().catch((cause) => {
      throw http.interrupted(file.url, cause);
    });
    if (bytes.byteLength === last - first + 1) return new Uint8Array(bytes);
    throw new TransientError('network', `${asked.file}: the connection was cut`);
  }
}
