/**
 * A process that judges faults: it loads cases and a device once, then takes one fault after the other. It
 * says before each run how long that may take, so that its parent knows a hang: `judge-child.ts MODULE`.
 */
import { openDevice } from '../../src/node/device.ts';
import { showsMissingBarriers, spansSubgroups } from './barriers.ts';
import type { Answer } from './judge.ts';
import { type Question, textWith } from './question.ts';
import type { Trial, Trials } from './trial.ts';

/** What a case may take before that is a hang; cases with barriers take a software adapter longer. */
const LIMIT_MS = 20_000;
const BARRIER_LIMIT_MS = 60_000;

const say = (answer: Answer): void => {
  process.send?.(answer);
};

const [moduleUrl = ''] = process.argv.slice(2);
const { trials } = (await import(moduleUrl)) as { readonly trials: Trials };
const { device } = await openDevice({ tuned: false });
const showsBarriers = await showsMissingBarriers(device);

const hasBarriers = ({ code }: Trial): boolean =>
  /Barrier\(/.test(code) && spansSubgroups(device, code);

/** Cases with barriers come last. */
const order = (trial: Trial): number => trial.elements * (hasBarriers(trial) ? 1000 : 1);
const all = [...(await trials(device))].sort((a, b) => order(a) - order(b));

async function check(trial: Trial, code: string): Promise<void> {
  say({ within: trial.limitMs ?? (hasBarriers(trial) ? BARRIER_LIMIT_MS : LIMIT_MS) });
  await trial.check(device, code);
}

/** Kernels one of whose cases has passed. `npm test` runs them all: this is for a broken device. */
const sound = new Set<string>();

/** The case must pass without a fault, if it is the first of its kernel. */
async function control(trial: Trial): Promise<void> {
  if (sound.has(trial.kernel)) return;
  sound.add(trial.kernel);
  try {
    await check(trial, trial.code);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`${trial.label} (${trial.variant}) fails without any fault: ${cause}`);
  }
}

/** The case with the fault, where it can show it. */
function faulty(question: Question, trial: Trial): ReturnType<typeof textWith> {
  const isBarrier = question.from === 'operator' && question.operator === 'barrier';
  if (isBarrier && !(showsBarriers && spansSubgroups(device, trial.code))) return undefined;
  return textWith(question, trial.kernel, trial.label, trial.code);
}

/** Runs the cases that have the fault, until one fails. */
async function judge(question: Question): Promise<Answer> {
  let ran = 0;
  let shown = '';
  for (const trial of all) {
    const changed = faulty(question, trial);
    if (!changed) continue;
    shown ||= changed.diff;
    await control(trial);
    try {
      await check(trial, changed.code);
      ran++;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (/WGSL \d+:\d+:/.test(why)) continue;
      return {
        verdict: 'killed',
        diff: changed.diff,
        why: `${trial.label} ${trial.variant}: ${why}`,
      };
    }
  }
  if (ran === 0) return { verdict: shown ? 'invalid' : 'absent', diff: shown, why: '' };
  return { verdict: 'survived', diff: shown, why: `${ran} cases pass` };
}

process.on('message', (question: Question) => {
  judge(question).then(say, (error: unknown) => {
    say({
      verdict: 'broken',
      diff: '',
      why: error instanceof Error ? error.message : String(error),
    });
  });
});
say({ ready: true });
