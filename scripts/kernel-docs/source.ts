/** What the sources of kernels say: docstrings, and the parameters that a function takes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder } from '../../src/node/files.ts';

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly isOptional: boolean;
  /** What is said of it, on one line; may be empty. */
  readonly text: string;
}

export interface KernelSource {
  /** As it is called, e.g. `rmsNorm`. */
  readonly name: string;
  /** Paragraphs of its docstring. */
  readonly paragraphs: readonly string[];
  readonly parameters: readonly Parameter[];
}

/** The inner lines of a docstring, as paragraphs of one line. */
const paragraphsOf = (doc: string): string[] =>
  doc
    .replace(/^ *\* ?/gm, '')
    .split(/\n\s*\n|\n(?=(?:Shapes|Source|Serial)\b)/)
    .map((paragraph) => paragraph.replace(/\s+/g, ' ').trim())
    .filter((paragraph) => paragraph !== '');

const MEMBER = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?readonly (\w+)(\??): ([^;]+);/g;
const INTERFACE = /interface (\w+)(?: extends ([^{]+))? \{\n([\s\S]*?)\n\}/g;

interface Declared {
  readonly bases: string;
  readonly members: readonly Parameter[];
}

/** Interfaces and other names of them, by name. */
class Types {
  readonly #declared = new Map<string, Declared>();
  readonly #sameAs = new Map<string, string>();

  constructor(texts: Iterable<string>) {
    for (const text of texts) {
      for (const [, name = '', bases = '', body = ''] of text.matchAll(INTERFACE)) {
        this.#declared.set(name, { bases, members: [...body.matchAll(MEMBER)].map(parameterOf) });
      }
      for (const [, name = '', other = ''] of text.matchAll(/export type (\w+) = (\w+);/g)) {
        this.#sameAs.set(name, other);
      }
    }
  }

  /** Members of an interface, those of what it extends first. */
  members(name: string): readonly Parameter[] {
    const declared = this.#declared.get(this.#sameAs.get(name) ?? name);
    if (!declared) throw new Error(`the kernels declare no interface ${name}`);
    const inherited = [...declared.bases.matchAll(/(?:Omit<)?(\w+)(?:, ([^>]+)>)?/g)].flatMap(
      ([, base = '', omitted = '']) =>
        this.members(base).filter((member) => !omitted.includes(`'${member.name}'`)),
    );
    return [...inherited, ...declared.members];
  }
}

const parameterOf = ([, doc = '', name = '', optional, type = '']: RegExpExecArray): Parameter => ({
  name,
  type: type.replace(/\s*\| undefined/, '').replace(/\s+/g, ' '),
  isOptional: optional === '?',
  text: paragraphsOf(doc).join(' '),
});

const KERNELS = join(packageFolder(), 'kernels');
const textsOf = (folder: string): string[] =>
  readdirSync(join(KERNELS, folder))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(KERNELS, folder, file), 'utf8'));

const folders = readdirSync(KERNELS, { withFileTypes: true }).filter((entry) =>
  entry.isDirectory(),
);
const types = new Types(folders.flatMap(({ name }) => textsOf(name)));

/** The first sentence of a folder's index. */
export function folderTitle(folder: string): string {
  const [, title = ''] = /^\/\*\* (.*) \*\//.exec(indexOf(folder)) ?? [];
  return title;
}

const indexOf = (folder: string): string => readFileSync(join(KERNELS, folder, 'index.ts'), 'utf8');

/**
 * The exported function of a kernel.
 * @param kernel As in labels, e.g. `rms_norm`.
 * @throws Error when there is none with a docstring and parameters.
 */
export function kernelSource(folder: string, kernel: string): KernelSource {
  const name = kernel.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const declaration = new RegExp(
    `/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*export (?:function|const) ${name}\\b[\\s\\S]*?params: (\\w+)`,
  );
  for (const text of textsOf(folder)) {
    const [, doc, type] = declaration.exec(text) ?? [];
    if (doc === undefined || type === undefined) continue;
    return { name, paragraphs: paragraphsOf(doc), parameters: types.members(type) };
  }
  throw new Error(`kernels/${folder} exports no function ${name} with a docstring`);
}
