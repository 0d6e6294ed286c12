/** The token of the login, where the hub's own tools put it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/errors.ts';
import { hubSettings } from '../../../src/node/hub/settings.ts';
import { download, failure, hub, useHub } from './fixture.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'llamagen-home-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const LOGIN = '.cache/huggingface/token';
const token = (env: Record<string, string> = {}) => hubSettings({ HOME: home, ...env }).token;

/** Writes the token of a login; its path. */
function put(path: string, text: string | Uint8Array = 'hf_login\n'): string {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe('the token', () => {
  test('is that of the login, from the first place that is named', () => {
    expect(token()).toBeUndefined();
    put(LOGIN, 'hf_home');
    expect(token()).toBe('hf_home');
    put('xdg/huggingface/token', 'hf_xdg');
    expect(token({ XDG_CACHE_HOME: join(home, 'xdg') })).toBe('hf_xdg');
    put('hub/token', 'hf_hub');
    const hfHome = { XDG_CACHE_HOME: join(home, 'xdg'), HF_HOME: join(home, 'hub') };
    expect(token(hfHome)).toBe('hf_hub');
    expect(token({ ...hfHome, HF_TOKEN_PATH: put('elsewhere', 'hf_path') })).toBe('hf_path');
    expect(token({ ...hfHome, HUGGING_FACE_HUB_TOKEN: 'hf_old' })).toBe('hf_old');
    expect(token({ HUGGING_FACE_HUB_TOKEN: 'hf_old', HF_TOKEN: ' hf_new\n' })).toBe('hf_new');
  });

  test('is in the place that is named or nowhere', () => {
    put(LOGIN);
    expect(token({ HF_HOME: join(home, 'none') })).toBeUndefined();
    expect(token({ HF_TOKEN_PATH: join(home, 'none') })).toBeUndefined();
    expect(token({ HF_TOKEN: '', HF_HOME: '', HF_TOKEN_PATH: '' })).toBe('hf_login');
  });

  test('may be in a place that begins with ~', () => {
    put('a/token');
    expect(token({ HF_HOME: '~/a' })).toBe('hf_login');
    expect(token({ HF_TOKEN_PATH: '~/a/token' })).toBe('hf_login');
    expect(hubSettings({ HOME: home, HF_HOME: '~/a' }).cache).toBe(`${home}/a/llamagen-webgpu`);
  });

  test.each(['1', 'true', 'YES', 'on'])('is none when it is switched off (%s)', (on) => {
    put(LOGIN);
    expect(token({ HF_HUB_DISABLE_IMPLICIT_TOKEN: on })).toBeUndefined();
    expect(token({ HF_HUB_DISABLE_IMPLICIT_TOKEN: on, HF_TOKEN: 'hf_x' })).toBeUndefined();
    expect(token({ HF_HUB_DISABLE_IMPLICIT_TOKEN: '0' })).toBe('hf_login');
  });

  test.each([
    ['with a line break', 'hf_a\n', 'hf_a'],
    ['as Windows writes lines', ' hf_a\r\n\r\n', 'hf_a'],
    ['after a byte order mark', '\uFEFFhf_a\n', 'hf_a'],
    ['that is empty', '\n', undefined],
  ])('is read from a file %s', (_, text, expected) => {
    put(LOGIN, text);
    expect(token()).toBe(expected);
  });

  test.each([
    ['two words', 'hf_a hf_b'],
    ['two lines', 'hf_a\nhf_b'],
    ['a header', 'hf_a\r\nx-other: 1'],
    ['something else', Uint8Array.of(255, 254, 104, 0, 102, 0)],
  ])('is no %s: an error names the file and shows nothing of it', (_, text) => {
    const file = put(LOGIN, text);
    expect(token).toThrow(OptionError);
    expect(token).toThrow(
      `${file} expected a token, one word of plain letters and signs: log in again`,
    );
    expect(token).not.toThrow(/hf_/);
    expect(token({ HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined();
    expect(token({ HF_HUB_OFFLINE: '1' })).toBeUndefined();
  });

  test('in a file that cannot be read is an error that names it', () => {
    mkdirSync(join(home, LOGIN), { recursive: true });
    expect(token).toThrow(OptionError);
    expect(token).toThrow(/huggingface\/token cannot be read: it is a folder: .*set HF_TOKEN/);
  });
});

describe('a download', () => {
  useHub();

  test('sends the token of the login to the hub alone', async () => {
    put(LOGIN);
    await download({ env: { HOME: home } });
    const sent = (name: string) =>
      hub.seen.filter(({ part }) => part === name).map(({ headers }) => headers.authorization);
    expect([sent('hub'), sent('cdn')]).toEqual([['Bearer hf_login'], [undefined]]);
  });

  test('that is refused says where the token was from', async () => {
    hub.always('hub', (_, res) => res.writeHead(401).end());
    const file = put(LOGIN);
    const { message } = await failure({ env: { HOME: home } });
    expect(message).toContain(`does not accept the token of ${file} for this (401)`);
    expect(message).not.toContain('hf_login');
    const old = { HOME: home, HUGGING_FACE_HUB_TOKEN: 'x' };
    expect((await failure({ env: old })).message).toMatch(/token of HUGGING_FACE_HUB_TOKEN/);
  });
});
