/**
 * `npm run test:soak [-- --requests N] [--seed S]`: many requests on one engine, of which some are aborted, left
 * or refused, and whose device is lost now and then. Each has the tokens and pixels that it has alone, and
 * afterwards nothing of them is left: no slot, no listener, no GPU memory, no heap.
 */
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { integer } from '../../src/cli/arguments.ts';
import { anyCaption } from '../support/captions.ts';
import { REQUESTS } from './requests.ts';
import { soak } from './soak.ts';
import { growth, type Sample, shown } from './steady.ts';

const script = new Command('test:soak')
  .description('Many requests on one engine, some of which leave: nothing of them may stay.')
  .option('--requests <n>', 'how many', integer(100, 10_000_000), 10_000)
  .option('--seed <s>', 'what traffic is drawn with', integer(0, 2 ** 32 - 1), 1);

/** Captions of all lengths. */
const LENGTHS = [1, 12, 2, 11, 5, 7];

await runScript(script, async () => {
  const { requests, seed } = script.opts<{ readonly requests: number; readonly seed: number }>();
  const captioned = REQUESTS.map(({ classIndex: _, ...request }, i) => {
    return { ...request, caption: anyCaption(LENGTHS[i % LENGTHS.length] ?? 1, i) };
  });
  // Three quarters of them are of classes.
  const ofTexts = Math.floor(requests / 4);
  const faults = [
    ...(await run('c2i_tiny', REQUESTS, requests - ofTexts, seed)),
    ...(await run('t2i_tiny', captioned, ofTexts, seed)),
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
      `deciding took ${(100 * scheduleShare).toFixed(2)} % of the time`,
  );
  return [...faults, ...growth(samples)].map((fault) => `${name}: ${fault}`);
}
