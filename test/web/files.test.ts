import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { openUrl } from '../../src/web/files.ts';
import { type Fault, type FileServer, serveFiles } from './server.ts';

let folder: string;
let server: FileServer;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-test-'));
  writeFileSync(join(folder, 'a'), Uint8Array.of(1, 2, 3, 4, 5));
  writeFileSync(join(folder, 'empty'), '');
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function start(fault?: Fault): Promise<string> {
  server = await serveFiles(folder, {}, fault);
  return server.url;
}

describe('openUrl', () => {
  test('transfers only the bytes that are read', async () => {
    const source = await openUrl(await start()).open('a');
    expect(source.name).toBe(`${server.url}/a`);
    expect(source.byteLength).toBe(5);
    expect([...(await source.read(1, 3))]).toEqual([2, 3, 4]);
    expect([...(await source.read(5, 0))]).toEqual([]);
    expect(server.log).toEqual(['GET /a bytes=0-0', 'GET /a bytes=1-3']);
    await expect(source.read(4, 2)).rejects.toThrow(WeightsError);
  });

  test('takes a folder with or without a slash and keeps its query', async () => {
    const base = await start();
    expect((await openUrl(`${base}/`).open('a')).name).toBe(`${base}/a`);
    expect((await openUrl(`${base}/?key=1`).open('a')).name).toBe(`${base}/a?key=1`);
  });

  test('opens files in folders within', async () => {
    mkdirSync(join(folder, 't5'));
    writeFileSync(join(folder, 't5', 'b'), Uint8Array.of(6, 7));
    const source = await openUrl(await start()).open('t5/b');
    expect(source.name).toBe(`${server.url}/t5/b`);
    expect([...(await source.read(0, 2))]).toEqual([6, 7]);
  });

  test('opens an empty file', async () => {
    const source = await openUrl(await start()).open('empty');
    expect(source.byteLength).toBe(0);
    expect([...(await source.read(0, 0))]).toEqual([]);
  });

  test('transfers a file once, and says so, where the server ignores ranges', async () => {
    const notes: string[] = [];
    const files = openUrl(await start('no-ranges'), { onNote: (note) => notes.push(note) });
    const source = await files.open('a');
    expect(source.byteLength).toBe(5);
    const piece = await source.read(1, 3);
    piece.fill(0); // memory of a result belongs to the caller
    expect([...(await source.read(1, 3))]).toEqual([2, 3, 4]);
    expect(server.log).toHaveLength(1);
    expect(notes).toEqual([expect.stringMatching(/\/a: the server ignores range.*all 5 bytes/)]);
  });

  test('asks for the size where ranges do not tell it', async () => {
    const source = await openUrl(await start('no-sizes')).open('a');
    expect(source.byteLength).toBe(5);
    expect([...(await source.read(4, 1))]).toEqual([5]);
    expect(server.log).toEqual(['GET /a bytes=0-0', 'HEAD /a', 'GET /a bytes=4-4']);
  });

  test('names the URL of a file that is not there', async () => {
    const opened = openUrl(await start()).open('vq.safetensors');
    await expect(opened).rejects.toThrow(WeightsError);
    await expect(opened).rejects.toThrow(`${server.url}/vq.safetensors: no such file (HTTP 404)`);
  });

  test('notices a file that changed', async () => {
    const source = await openUrl(await start()).open('a');
    writeFileSync(join(folder, 'a'), 'abcdef');
    await expect(source.read(0, 1)).rejects.toThrow(/changed while it was read/);
  });

  test('says what a server did wrong; such errors may pass, so they are no WeightsError', async () => {
    const cut = openUrl(await start('cut')).open('a');
    await expect(cut).rejects.toThrow(/asked for the bytes 0-0, the server sent 0 bytes/);
    await expect(cut).rejects.toMatchObject({ name: 'Error' });
    await server.close();
    const busy = openUrl(await start('busy')).open('a');
    await expect(busy).rejects.toThrow(/the server answered 503 Service Unavailable$/);
  });

  test('says that there is no answer', async () => {
    const base = await start();
    await server.close();
    await expect(openUrl(base).open('a')).rejects.toThrow(/\/a: no answer: .*is the server up/);
  });

  test('rejects with the reason of its signal', async () => {
    const stop = new AbortController();
    const source = await openUrl(await start(), { signal: stop.signal }).open('a');
    const reading = source.read(0, 5);
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow(/^enough$/);
    await expect(source.read(0, 1)).rejects.toThrow(/^enough$/);
  });
});
