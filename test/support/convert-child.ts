/** Converts in a process of its own, whose peak memory is then that of the conversion. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type ConvertOptions, convertCheckpoint } from '../../src/node/convert.ts';

export interface ChildResult {
  /** Most bytes of the process that were in memory. */
  readonly maxRss: number;
  readonly seconds: number;
}

/** Resolves when the process has ended well. */
export function convertInChild(options: ConvertOptions): Promise<ChildResult> {
  const args = ['--import', import.meta.resolve('tsx'), fileURLToPath(import.meta.url)];
  const child = spawn(process.execPath, [...args, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`the conversion ended with ${code}`));
    });
  });
}

const [, script, given] = process.argv;
if (script === fileURLToPath(import.meta.url) && given !== undefined) {
  const start = performance.now();
  await convertCheckpoint(JSON.parse(given));
  const result: ChildResult = {
    maxRss: process.resourceUsage().maxRSS * 1024,
    seconds: (performance.now() - start) / 1000,
  };
  console.log(JSON.stringify(result));
}
