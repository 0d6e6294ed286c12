/** `fidelity`: whether this adapter computes what it should, in every way that is measured afterwards. */
import { basename, join } from 'node:path';
import { generate, loadModel } from '../../src/index.ts';
import { defaultModelFolder, openFolder, packageFolder } from '../../src/node/files.ts';
import type { Tiles } from '../../src/ops/tiles.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { caseFolders } from '../../test/golden-runner/case.ts';
import { reasonToSkip, runCase } from '../../test/golden-runner/run.ts';
import { tinyFolder } from '../../test/support/tiny-model.ts';
import { timed } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { BenchDevice, Session } from '../session.ts';
import type { Table } from '../table.ts';
import { isSmall, sessionOf, type Way, waysOf } from './ways.ts';

export interface FidelityResult {
  readonly checks: readonly FidelityCheck[];
}

export interface FidelityCheck {
  readonly name: string;
  readonly way: string;
  readonly passed: number;
  /** What is wrong, with numbers. */
  readonly failures: readonly string[];
  readonly seconds: number;
}

/** Without a GPU, where other cases take minutes. */
const SMALL = /(op_|sample_|c2i_batch4|c2i_odd_mha)[^/]*$/;
/** Of the shipped model, those whose greedy tokens are compared. */
const CLASSES = [0, 9, 18, 27];

/** Everything is checked, whatever fails before: a GPU is lent for minutes. */
export async function measureFidelity(session: Session): Promise<FidelityResult> {
  const checks: FidelityCheck[] = [];
  for (const way of waysOf(session.environment.variant, session.settings)) {
    const checksOfWay = { ...CHECKS, ...(hasMatrices(session, way) && MATRIX_CHECKS) };
    for (const [name, check] of Object.entries<Check>(checksOfWay)) {
      session.note(`${name}, ${way.name}`);
      checks.push(await checked(name, way, () => check(sessionOf(session, way), way)));
    }
  }
  return { checks };
}

/** What a check found. */
interface Found {
  readonly passed: number;
  readonly failures: readonly string[];
}

async function checked(
  name: string,
  way: Way,
  check: () => Promise<Found>,
): Promise<FidelityCheck> {
  const { ms, result } = await timed(() =>
    check().catch((error: unknown) => ({ passed: 0, failures: [String(error)] })),
  );
  return { name, way: way.name, ...result, seconds: ms / 1000 };
}

type Check = (session: Session, way: Way) => Promise<Found>;

const CHECKS: Readonly<Record<string, Check>> = {
  'golden cases': (session, way) => session.use((d) => golden(d, session, way)),
  'images alone and in batches': (session) => session.use((d) => batches(d, session)),
  'windows against step by step': (session) => session.use((d) => windows(d, session)),
};

/** Where there are matrices: products of few rows by them, whatever the tiles say. */
const MATRIX_CHECKS: Readonly<Record<string, Check>> = {
  'golden cases, products by matrices': (session, way) =>
    session.use((d) => golden(d, session, way, BY_MATRICES)),
};

const hasMatrices = ({ environment }: Session, { settings }: Way): boolean =>
  environment.variant.matrix !== undefined && settings.matrix !== false;

interface Cases {
  readonly tiles: Tiles | undefined;
  readonly names: RegExp;
}

/** Matrices multiply weights of halves. */
const BY_MATRICES: Cases = { tiles: { product: { math: 'matrix' } }, names: /c2i_tiny_f16$/ };

async function golden(
  { device }: BenchDevice,
  session: Session,
  way: Way,
  { tiles, names }: Cases = {
    tiles: session.loading.tiles,
    names: isSmall(session) ? SMALL : /./,
  },
): Promise<Found> {
  const { precision } = way.settings;
  const { variant } = session.loading;
  const failures: string[] = [];
  let passed = 0;
  const folders = caseFolders(join(packageFolder(), 'test', 'golden'))
    .filter((folder) => names.test(folder))
    .filter((folder) => reasonToSkip(folder, { precision }) === undefined);
  for (const folder of folders) {
    const options = { variant, tiles, precision, classes: CLASSES };
    const { name, checks } = await runCase(device, folder, options).catch((error: unknown) => {
      failures.push(`${basename(folder)}: ${error}`);
      return { name: folder, checks: [] };
    });
    for (const { tensor, pass, maxAbsError, nmse, tolerance } of checks) {
      if (pass) passed++;
      else failures.push(`${name} ${tensor}: ${maxAbsError}, NMSE ${nmse}, allowed ${tolerance}`);
    }
  }
  return { passed, failures };
}

/** Every image has the same tokens and pixels alone, among others, and at another place. */
async function batches({ device }: BenchDevice, session: Session): Promise<Found> {
  const small = isSmall(session);
  const model = await loadModel(device, filesFor(session), session.loading);
  try {
    const [tokens, pixels] = [new SameCheck('token'), new SameCheck('byte')];
    const all = small ? [0, 2, 1] : [3, 30, 7, 7, 15, 0, 21, 12];
    let passed = 0;
    for (const [first, count] of [
      [0, all.length],
      [1, 1],
      [all.length - 2, 2],
    ] as const) {
      const classes = all.slice(first, first + count);
      const { images } = await generate(model, { classes, seed: 7 + first });
      for (const [i, image] of images.entries()) {
        tokens.check(`${count} images from ${first} on`, first + i, image.tokens);
        pixels.check(`${count} images from ${first} on`, first + i, image.rgba);
        passed++;
      }
    }
    return { passed, failures: [] };
  } finally {
    model.destroy();
  }
}

const filesFor = (session: Session): ModelFiles =>
  isSmall(session) ? tinyFolder() : openFolder(defaultModelFolder());

/** Settings that fill windows in other ways. */
const SAMPLED = [{ cfgScale: 2 }, { cfgScale: 1, topK: 10 }, { cfgScale: 3, greedy: true }];

/** Every image has the same tokens and pixels whatever its window, alone and beside another. */
async function windows({ device }: BenchDevice, session: Session): Promise<Found> {
  const model = await loadModel(device, filesFor(session), session.loading);
  try {
    let passed = 0;
    for (const sampling of SAMPLED) {
      const [tokens, pixels] = [new SameCheck('token'), new SameCheck('byte')];
      for (const window of isSmall(session) ? [1, 3] : [1, 2, 5, 8, 16, 'auto' as const]) {
        const { images } = await generate(model, { classes: [3, 1], seed: 9, window, ...sampling });
        for (const [i, image] of images.entries()) {
          const name = `window ${window}, guidance ${sampling.cfgScale}`;
          tokens.check(name, i, image.tokens);
          pixels.check(name, i, image.rgba);
          passed++;
        }
      }
    }
    return { passed, failures: [] };
  } finally {
    model.destroy();
  }
}

/** Whether something is not as it should be. */
export const hasFailed = ({ checks }: FidelityResult): boolean =>
  checks.some(({ failures }) => failures.length > 0);

export const fidelityTables = ({ checks }: FidelityResult): Table[] => [
  [
    ['fidelity', 'passed', 'failed', 'seconds'],
    ...checks.map(
      ({ name, way, passed, failures, seconds }) =>
        [
          `  ${name}, ${way}`,
          ...[passed, failures.length].map(String),
          seconds.toFixed(1),
        ] as const,
    ),
  ],
];

/** What failed; numbers of a device that computes something else mean little. */
export const fidelityNotes = ({ checks }: FidelityResult): string[] =>
  checks.flatMap(({ name, way, failures }) => failures.map((f) => `FAILED: ${name}, ${way}: ${f}`));
