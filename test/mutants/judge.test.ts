import { afterAll, expect, test } from 'vitest';
import { type Fault, faultsOf } from './faults.ts';
import { trials } from './fixture-trials.ts';
import { openJudge } from './judge.ts';

/** The cases of the fixture: sums of rows, through workgroup memory. */
const [first, second] = await trials({} as GPUDevice);
const faults = faultsOf('sum', [first!, second!]);
const judge = openJudge(new URL('./fixture-trials.ts', import.meta.url).href);
afterAll(judge.close);

const fault = (change: string): Fault => faults.find((f) => f.change === change)!;
const verdictOf = async (change: string): Promise<string> => {
  const { kernel, operator, key } = fault(change);
  return (await judge.judge({ from: 'operator', kernel, operator, key })).verdict;
};

test('a fault that changes a result is killed, and the lines that differ are told', async () => {
  const { kernel, operator, key } = fault('[sum += x[group.x * #u + i]; -> ]');
  const judgement = await judge.judge({ from: 'operator', kernel, operator, key });
  expect(judgement.verdict).toBe('killed');
  expect(judgement.diff).toBe('- sum += x[group.x * 30u + i];\n+ ');
  expect(judgement.why).toContain('row 0: 0, not');
});

test('a fault that no small case can show is killed by a larger one', async () => {
  // Rows of 30 take one turn of 64 lanes: only those of 200 take a second.
  const { kernel, operator, key } = fault('for (var i = lane; i < #u; i [+= -> -=] #u) {');
  const { verdict, why } = await judge.judge({ from: 'operator', kernel, operator, key });
  expect(verdict).toBe('killed');
  expect(why).toContain('sum f32[3,200]');
});

test('a barrier that is missing is noticed', async () => {
  expect(await verdictOf('[workgroupBarrier(); -> ]')).toBe('killed');
});

test('a fault that changes nothing survives', async () => {
  // Every sum is far from the bound.
  expect(await verdictOf('total[#] += min(sums[i], # [+ -> -] #);')).toBe('survived');
});

test('a text that does not compile is no fault', async () => {
  expect(await verdictOf('out[group.x] = total[[# -> +1]];')).toBe('invalid');
});

test('a hang is known by time, and the next fault is judged by a new process', async () => {
  expect(await verdictOf('i [-= -> +=] #u;')).toBe('hung');
  expect(await verdictOf('[out[group.x] = total[#]; -> ]')).toBe('killed');
});
