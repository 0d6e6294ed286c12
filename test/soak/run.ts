/**
 * `npm run test:soak [-- --requests N] [--seed S]`: many requests on one engine, of which some are aborted, left
 * or refused, and whose device is lost now and then; a fifth of them over HTTP. Each has the tokens and pixels
 * that it has alone, and afterwards nothing of them is left: no slot, no listener, no connection, no GPU memory,
 * no heap.
 */
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { integer } from '../../src/cli/arguments.ts';
import { anyCaption } from '../support/captions.ts';
import { soakHttp } from './http.ts';
import { REQUESTS } from './requests.ts';
import { soak } from './soak.ts';
import { growth, type Sample, shown } from './steady.ts';

const script = new Command('test:soak')
  .description('Many requests on one engine, some of which leave: nothing of them may stay.')
  .option('--requests <n>', 'how many', integer(500, 10_000_000), 10_000)
  .option('--seed <s>', 'what traffic is drawn with', integer(0, 2 ** 32 - 1), 1);

/** What V8 keeps besides of a server's code, which is much more than an engine's. */
const SPARE_HTTP_HEAP = 2 * 2 ** 20;
/** Captions of all lengths. */
const LENGTHS = [1, 12, 2, 11, 5, 7];

await runScript(script, async () => {
  const { requests, seed } = script.opts<{ readonly requests: number; readonly seed: number }>();
  const captioned = REQUESTS.map(({ classIndex: _, ...request }, i) => {
    return { ...request, caption: anyCaption(LENGTHS[i % LENGTHS.length] ?? 1, i) };
  });
  const byHttp = Math.floor(requests / 5);
  const ofTexts = Math.floor(requests / 5);
  const faults = [
    ...(await run('c2i_tiny', REQUESTS, requests - ofTexts - byHttp, seed)),
    ...(await run('t2i_tiny', captioned, ofTexts, seed)),
    ...(await runHttp(byHttp, seed)),
  ];
  for (const fault of faults) console.error(`test:soak: ${fault}`);
  return faults.length > 0 ? 1 : 0;
});

/** @returns What is wrong. */
async function run(
  name: 'c2i_tiny' | 't2i_tiny',
  requests: typeof REQUESTS,
  count: number,
  seed: number,
): Promise<string[]> {
  const samples: Sample[] = [];
  const begun = performance.now();
  const { ended, resets, scheduleShare, faults } = await soak(
    { name, requests, count, seed },
    (sample) => {
      samples.push(sample);
      console.log(`${name}: ${shown(sample)}`);
    },
  );
  const seconds = (performance.now() - begun) / 1000;
  const how = [...ended].map(([what, times]) => `${times} ${what}`).join(', ');
  console.log(
    `${name}: ${count} requests in ${seconds.toFixed(1)} s: ${how}; ${resets} devices lost; ` +
      // Of passes as short as those of this model, on a machine that does other things: told, not judged.
      `deciding took ${(100 * scheduleShare).toFixed(2)} % of the time (not judged)`,
  );
  return [...faults, ...growth(samples)].map((fault) => `${name}: ${fault}`);
}

/** @returns What is wrong. */
async function runHttp(count: number, seed: number): Promise<string[]> {
  const samples: Sample[] = [];
  const begun = performance.now();
  const { ended, faults } = await soakHttp({ count, seed }, (sample) => {
    samples.push(sample);
    console.log(`HTTP: ${shown(sample)}`);
  });
  const seconds = (performance.now() - begun) / 1000;
  const how = [...ended].map(([what, times]) => `${times} ${what}`).join(', ');
  console.log(`HTTP: ${count} requests in ${seconds.toFixed(1)} s: ${how}`);
  return [...faults, ...growth(samples, SPARE_HTTP_HEAP)].map((fault) => `HTTP: ${fault}`);
}
