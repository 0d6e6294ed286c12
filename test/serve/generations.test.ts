/** `POST /v1/images/generations`: what it takes, what it refuses, what comes of it. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/serve/backend.ts';
import { answerOf, bytesOf, pngFacts, type Served, serve, tinyBackend } from './support.ts';

let backend: Backend;
let served: Served;
let resizing: Served;

beforeAll(async () => {
  backend = await tinyBackend();
  served = await serve({ backend, aliases: new Map([['gpt-image-1', 'c2i_tiny']]) });
  resizing = await serve({ backend, resize: true });
});

afterAll(async () => {
  await served.close();
  await resizing.close();
  await backend.close(0);
});

const draw = async (body: object, headers = {}) =>
  answerOf(await served.post({ prompt: 'class 3', ...body }, headers));

describe('images', () => {
  test('of a request have one seed after the other, and are those of single requests', async () => {
    const both = await draw({ n: 2, seed: 41 });
    expect(both.seed).toBe(41);
    expect(both.data.map(({ seed }) => seed)).toEqual([41, 42]);
    const second = await draw({ seed: 42 });
    expect(second.data[0]?.b64_json).toBe(both.data[1]?.b64_json);
    expect(second.data[0]?.b64_json).not.toBe(both.data[0]?.b64_json);
  });

  test('without a seed get one that draws them again', async () => {
    const first = await draw({});
    const again = await draw({ seed: first.seed });
    expect(again.data).toEqual(first.data);
    expect(again.fingerprint).toBe(backend.models[0]?.fingerprint.digest);
  });

  test.each(['class:3', '3', 'CLASS 3', 'class: 3'])('are of the class "%s"', async (prompt) => {
    const { data } = await draw({ prompt, seed: 1 });
    expect(data[0]?.revised_prompt).toBe('class 3');
  });

  test('take null for what is left out, and fields that mean nothing here', async () => {
    const { data } = await draw({
      ...{ model: null, n: null, size: null, stream: null, seed: null, response_format: null },
      ...{ quality: 'high', style: 'vivid', user: 'u', background: 'auto', moderation: 'low' },
    });
    expect(data).toHaveLength(1);
  });

  test('are drawn by the settings of the request', async () => {
    const [a, b] = await Promise.all([draw({ seed: 1 }), draw({ seed: 2, greedy: true })]);
    const c = await draw({ seed: 3, greedy: true });
    const pixels = async (base64 = '') =>
      (await sharp(bytesOf(base64)).raw().toBuffer()).toString('hex');
    expect(await pixels(c.data[0]?.b64_json)).toBe(await pixels(b.data[0]?.b64_json));
    expect(await pixels(c.data[0]?.b64_json)).not.toBe(await pixels(a.data[0]?.b64_json));
  });

  test('have the name of the model that the client knows', async () => {
    const response = await served.post({ prompt: 'class 1', model: 'gpt-image-1' });
    expect(await response.json()).toMatchObject({ model: 'gpt-image-1', size: '8x8' });
  });
});

describe('formats', () => {
  test.each(['webp', 'jpeg'])('%s says how it was made', async (output_format) => {
    const { data } = await draw({ output_format, seed: 5 });
    const { format, width, exif } = await sharp(bytesOf(data[0]?.b64_json)).metadata();
    expect([format, width]).toEqual([output_format, 8]);
    expect(exif?.toString('latin1')).toContain(
      'class 3 (class 3), seed 5, made by the model c2i_tiny',
    );
  });

  test('webp of full quality has the pixels of the PNG', async () => {
    const pixels = async (output_format: string) => {
      const { data } = await draw({ output_format, seed: 5 });
      return sharp(bytesOf(data[0]?.b64_json)).removeAlpha().raw().toBuffer();
    };
    expect(await pixels('webp')).toEqual(await pixels('png'));
  });

  test('less quality makes smaller files', async () => {
    const size = async (output_compression: number) => {
      const body = {
        output_format: 'jpeg',
        output_compression,
        size: '256x256',
        prompt: 'class 3',
        seed: 1,
      };
      const { data } = await answerOf(await resizing.post(body));
      return bytesOf(data[0]?.b64_json).length;
    };
    expect(await size(10)).toBeLessThan((await size(95)) / 2);
  });
});

describe('size', () => {
  test.each(['auto', '8x8'])('%s is the own one', async (size) => {
    const { data } = await draw({ size });
    expect(pngFacts(bytesOf(data[0]?.b64_json))).toMatchObject({ width: 8, height: 8 });
  });

  test.each(['1024x1024', '8X8', '0x8', 'big', '8x8x8', '../8x8', '99999999x1'])(
    '%s is refused with the sizes that there are',
    async (size) => {
      const response = await served.post({ prompt: 'class 3', size });
      expect(response.status).toBe(400);
      const { error } = await answerOf(response);
      expect(error).toMatchObject({ type: 'invalid_request_error', param: 'size' });
      expect(error?.message).toContain('"auto" or "8x8"');
      expect(error?.message).toContain(size);
    },
  );

  test('is any where the server resizes, and the file still says how it was made', async () => {
    const { data } = await answerOf(await resizing.post({ prompt: 'class 3', size: '64x32' }));
    const { width, height, text } = pngFacts(bytesOf(data[0]?.b64_json));
    expect([width, height]).toEqual([64, 32]);
    expect(text.get('Title')).toBe('class 3');
  });

  test('has a bound', async () => {
    const response = await resizing.post({ prompt: 'class 3', size: '4096x4096' });
    expect(response.status).toBe(400);
    expect((await answerOf(response)).error?.message).toContain('at most 2048');
  });
});

describe('refuses', () => {
  test.each<[string, unknown, string | null, RegExp]>([
    ['no prompt', {}, 'prompt', /"prompt" is missing/],
    ['an empty prompt', { prompt: '' }, 'prompt', /prompt/],
    ['a prompt that is no text', { prompt: 7 }, 'prompt', /must be string/],
    ['an unknown class', { prompt: 'class 33' }, 'prompt', /did you mean "class 3"/],
    ['a class out of range', { prompt: 'class:10' }, 'prompt', /10 classes \(0 to 9\)/],
    ['no image', { prompt: '1', n: 0 }, 'n', /"n" must be >= 1/],
    ['too many images', { prompt: '1', n: 10_000 }, 'n', /"n" must be <= 10/],
    ['half an image', { prompt: '1', n: 1.5 }, 'n', /must be integer/],
    ['a number in words', { prompt: '1', n: '2' }, 'n', /must be integer/],
    ['a negative seed', { prompt: '1', seed: -1 }, 'seed', /"seed" must be >= 0/],
    ['a huge seed', { prompt: '1', seed: 2 ** 60 }, 'seed', /must be <= /],
    ['a seed in words', { prompt: '1', seed: 'x' }, 'seed', /must be integer/],
    ['an unknown field', { prompt: '1', sede: 1 }, 'sede', /no field "sede"/],
    ['another format', { prompt: '1', output_format: 'gif' }, 'output_format', /png, webp, jpeg/],
    ['another response', { prompt: '1', response_format: 'x' }, 'response_format', /b64_json, url/],
    ['a bad quality', { prompt: '1', output_compression: 101 }, 'output_compression', /<= 100/],
    ['four previews', { prompt: '1', stream: true, partial_images: 4 }, 'partial_images', /<= 3/],
    ['previews without a stream', { prompt: '1', partial_images: 1 }, 'partial_images', /stream/],
    ['a stream in words', { prompt: '1', stream: 'yes' }, 'stream', /must be boolean/],
    ['a bad top_p', { prompt: '1', top_p: 2 }, 'top_p', /"top_p" expected a number from 0 to 1/],
    ['a bad top_p in a stream', { prompt: '1', top_p: 2, stream: true }, 'top_p', /from 0 to 1/],
    ['a list', [], null, /the body must be object/],
    ['nothing', 'null', null, /the body must be object/],
    ['broken JSON', '{"prompt": ', null, /JSON/],
    ['a prototype', '{"prompt": "1", "__proto__": {"n": 3}}', null, /JSON|__proto__/],
  ])('%s', async (_, body, param, message) => {
    const response = await served.post(body);
    const { error } = await answerOf(response);
    expect(response.status).toBe(400);
    expect(error).toMatchObject({ type: 'invalid_request_error', param });
    expect(error?.message).toMatch(message);
    expect(error?.code).toMatch(/^\w+$/);
  });

  test('an unknown model with 404 and the names that there are', async () => {
    const response = await served.post({ prompt: '1', model: 'dall-e-3' });
    expect(response.status).toBe(404);
    expect((await answerOf(response)).error).toMatchObject({
      message: 'the model "dall-e-3" does not exist here; there is c2i_tiny, gpt-image-1',
      ...{ type: 'invalid_request_error', param: 'model', code: 'model_not_found' },
    });
  });

  test('a huge body with 413', async () => {
    const response = await served.post({ prompt: 'x'.repeat(2 ** 20) });
    expect([response.status, (await answerOf(response)).error?.code]).toEqual([
      413,
      'body_too_large',
    ]);
  });

  test('what is no JSON with 415', async () => {
    const response = await served.post('prompt=1', { 'content-type': 'text/plain' });
    expect([response.status, (await answerOf(response)).error?.code]).toEqual([
      415,
      'unsupported_media_type',
    ]);
  });

  test.each([
    '/v1/images/edits',
    '/nothing',
    '/images/../../etc/passwd',
    '/images/%2e%2e%2fetc',
    '/%',
    '/images/%00',
    '//etc/passwd',
    '/v1/models/..%2f..%2fpackage.json',
    '/docs/static/..%2f..%2fpackage.json',
  ])('the address %s with 404 or 400', async (path) => {
    const response = await served.server.app.inject({ url: path });
    expect([400, 404]).toContain(response.statusCode);
    expect(response.json().error.message).toBeTypeOf('string');
  });
});
