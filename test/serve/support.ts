/** What tests of the server share. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PngFacts, readPngFacts } from '../../src/node/png-read.ts';

/** Size and texts of a PNG that came over HTTP. */
export function pngFacts(png: Uint8Array): PngFacts {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-serve-'));
  try {
    const file = join(folder, 'image.png');
    writeFileSync(file, png);
    return readPngFacts(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
