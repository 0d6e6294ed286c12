/** `docs/kernels.md`: every kernel, from its record, its docstring and what was measured of it. */
import { byteLength, costOf } from '../../kernels/cost.ts';
import { type Binding, type Kernel, PORTABLE } from '../../kernels/kernel.ts';
import { FOLDERS } from '../../test/records/index.ts';
import { hasVariants, type KernelRecord, withVariant } from '../../test/records/record.ts';
import { titleOf } from '../../test/records/words.ts';
import { SNAPSHOTS, snapshotFile } from '../../test/support/snapshots.ts';
import { VARIANTS } from '../../test/support/variants.ts';
import { MACHINES, measured } from './measured.ts';
import { folderTitle, type KernelSource, kernelSource } from './source.ts';

/** Where the page is, from the root of the repository. */
export const KERNELS_PAGE = 'docs/kernels.md';

/** The whole page. */
export function kernelsPage(): string {
  const folders = [...FOLDERS].map(([folder, records]) => ({
    folder,
    entries: records.map((record) => ({ record, source: kernelSource(folder, record.name) })),
  }));
  const lines = [
    ...INTRODUCTION,
    ...table(
      ['kernel', 'folder', 'what it computes'],
      folders.flatMap(({ folder, entries }) =>
        entries.map(({ source }) => [
          `[\`${source.name}\`](#${source.name.toLowerCase()})`,
          folder,
          firstSentence(source),
        ]),
      ),
    ),
    ...folders.flatMap(({ folder, entries }) => [
      `## ${folder}`,
      '',
      `${folderTitle(folder)} \`import { ${entries[0]?.source.name} } from 'llamagen-webgpu/kernels/${folder}'\``,
      '',
      ...entries.flatMap(({ record, source }) => entryOf(record, source)),
    ]),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

const INTRODUCTION = [
  '# Kernels',
  '',
  'Written by `npm run docs` from the docstrings and records of the kernels; a test compares the two.',
  '',
  "A kernel is data: WGSL, a table of bindings and a grid, made by a pure function of its parameters. It runs on any `GPUDevice`, in an app's own encoder and on its own buffers, with nothing else of this package:",
  '',
  '```ts',
  "import { bind, compile, rmsNorm } from 'llamagen-webgpu/kernels';",
  '',
  'const kernel = rmsNorm({ rows: 2, dim: 768 });',
  'const pipeline = await compile(device, kernel);',
  'const group = bind(device, kernel, pipeline, {',
  '  x: { buffer: x },',
  '  gain: { buffer: gain },',
  '  out: { buffer: out },',
  '});',
  'pass.setPipeline(pipeline);',
  'pass.setBindGroup(0, group);',
  'pass.dispatchWorkgroups(...kernel.workgroups);',
  '```',
  '',
  '`examples/kernel-in-node.ts` and `examples/web/kernel.html` are whole programs. In this repository `npm run kernel -- NAME key=value ...` prints the WGSL of any parameters.',
  '',
  '- **Bindings** are of group 0, in the order of the tables below, and bound by name. Tables show the example; the text above each says what shapes are made of. `f16` and `bf16` lie two to a `u32`.',
  `- **Variants**: \`variant\` says how sums are shared. ${code('workgroup')} (the default) and ${code('serial')}, for adapters that compute on the CPU, need no feature and stay within WebGPU's default limits: 8 storage buffers, 256 invocations and 16 KiB of workgroup memory. ${code('subgroup')} needs the feature \`subgroups\`, \`f16: true\`, leave for products to compute with halves, needs \`shader-f16\`. \`variantOf(device)\` of \`llamagen-webgpu\` picks one.`,
  '- **Wrong parameters and buffers** are RangeErrors that name kernel, parameter and value.',
  `- **Measured** times are of one dispatch; the share is that of its floor, the longer of the bytes it must move and the operations it must make at the rates of that machine. ${sources()}`,
  '',
];

function sources(): string {
  const links = MACHINES.map(({ name, file }) => `${name}: [${file}](../bench/results/${file})`);
  return `${links.join('; ')}. Kernels may have changed since the commit that is named; those of the second are beside the floors of a copy between buffers, which few kernels reach.`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** To its first full stop; two of them make a range. */
function firstSentence({ paragraphs: [first = ''] }: KernelSource): string {
  const [sentence = first] = /^.*?[^ .]\.(?= |$)/.exec(first) ?? [];
  return escaped(prose(sentence.replace(/\.$/, '')));
}

const escaped = (text: string): string => text.replaceAll('|', '\\|');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line), ''];
}

function entryOf(record: KernelRecord, source: KernelSource): string[] {
  const kernel = record.kernel(withVariant(record, record.shown, PORTABLE));
  return [
    `### ${source.name}`,
    '',
    ...source.paragraphs.flatMap((paragraph) => [prose(paragraph), '']),
    ...parametersOf(record, source),
    ...exampleOf(record, source, kernel),
    ...factsOf(record, kernel),
    ...measuredOf(record.name),
    ...snapshotsOf(record.name),
    '',
  ];
}

/** Stars of products are no emphasis, outside of backticks. */
const prose = (text: string): string =>
  text
    .split('`')
    .map((piece, i) => (i % 2 === 1 ? piece : piece.replace(/[*<]/g, '\\$&')))
    .join('`');

function parametersOf(record: KernelRecord, { parameters }: KernelSource): string[] {
  const taken = takenBy(record);
  const rows = parameters
    .filter(({ name }) => taken.includes(name))
    .map(({ name, type, isOptional, text }) => [
      `\`${name}\`${isOptional ? '?' : ''}`,
      code(escaped(type)),
      escaped([text, ...(name === 'tile' ? [settingsOf(record)] : [])].filter(Boolean).join(' ')),
    ]);
  return table(['parameter', 'type', ''], rows);
}

/** What a kernel says when it is made of wrong parameters. */
function refusal(record: KernelRecord, extra: object): string {
  try {
    record.kernel({ ...record.shown, ...extra });
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  throw new Error(`${record.name} takes ${JSON.stringify(extra)}`);
}

/** Names of the parameters that a kernel takes. */
export function takenBy(record: KernelRecord): string[] {
  const [, list = ''] = / takes (.*)$/.exec(refusal(record, { zzz: 1 })) ?? [];
  return list.split(', ');
}

function settingsOf(record: KernelRecord): string {
  const message = refusal(record, { tile: { zzz: 1 } });
  const [, settings = ''] = /"tile" expected some of (.*), got/.exec(message) ?? [];
  return `Some of ${settings.split(', ').map(code).join(', ')}.`;
}

/** A value as TypeScript has it. */
function literal(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = Object.entries(value).map(([name, inner]) => `${name}: ${literal(inner)}`);
  return `{ ${members.join(', ')} }`;
}

function exampleOf({ shown }: KernelRecord, { name }: KernelSource, kernel: Kernel): string[] {
  const names = Object.keys(kernel.bindings).join(', ');
  return [
    '```ts',
    `const kernel = ${name}(${literal(shown)});`,
    'const pipeline = await compile(device, kernel);',
    `const group = bind(device, kernel, pipeline, { ${names} });`,
    '```',
    '',
    ...table(
      ['binding', 'name', 'role', 'dtype and shape', 'bytes'],
      Object.entries<Binding>(kernel.bindings).map(([binding, tensor], i) => [
        String(i),
        code(binding),
        tensor.role,
        `${tensor.dtype} [${tensor.shape.join(', ')}]`,
        String(byteLength(tensor)),
      ]),
    ),
  ];
}

/** Grid, cost, and what a device must have. */
function factsOf(record: KernelRecord, kernel: Kernel): string[] {
  const { bytes, operations } = costOf(kernel);
  const [, size = ''] = /@workgroup_size\(([^)]*)\)/.exec(kernel.code) ?? [];
  const sizes = kernel.sizes ? ', and its sizes in a uniform, which `bind` makes' : '';
  const cost = [`moves ${bytes} bytes`, ...(operations > 0 ? [`${operations} operations`] : [])];
  return [
    `- Grid: ${kernel.workgroups.join(' x ')} workgroups of ${size} invocations; ${Object.keys(kernel.bindings).length} storage buffers${sizes}. A dispatch ${cost.join(', ')} at least.`,
    `- ${needsOf(record)}`,
  ];
}

/** Features by variant. */
function needsOf(record: KernelRecord): string {
  if (!hasVariants(record)) return 'No variants, and needs no feature.';
  const needs = VARIANTS.map((variant) => {
    const { features = [] } = record.kernel(withVariant(record, record.shown, variant));
    return { name: code(variant.reduce), features: features.map(code).join(' and ') };
  });
  const free = needs.filter(({ features }) => features === '');
  return [
    `Variants without features: ${free.map(({ name }) => name).join(', ')}.`,
    ...needs.flatMap(({ name, features }) => (features ? [`${name} needs ${features}.`] : [])),
  ].join(' ');
}

function measuredOf(kernel: string): string[] {
  const all = measured(kernel);
  if (all.length === 0) return ['- Not measured by itself yet.', ''];
  return [
    '',
    ...table(
      ['measured on', 'of', 'kernel', 'us', 'of its floor', 'bound by'],
      all.map(({ machine, when, result: { use, label, us, share, bound } }) => [
        `${machine} (${when})`,
        use,
        code(label),
        us >= 100 ? us.toFixed(0) : us.toFixed(1),
        share < 0.01 ? '< 1 %' : `${(100 * share).toFixed(0)} %`,
        bound,
      ]),
    ),
  ];
}

function snapshotsOf(kernel: string): string[] {
  const links = Object.entries(SNAPSHOTS).flatMap(([path, { name, params }]) =>
    name === kernel
      ? [`[${path.split('/')[1]}](../${snapshotFile(path)}), \`${titleOf(name, params)}\``]
      : [],
  );
  return [`WGSL: ${links.join('; ')}.`];
}
