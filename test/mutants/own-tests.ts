/** The test files of each kernel, found by what they import. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/sources.ts';

const FOLDER = 'test/kernels';

/** These are of all kernels, take minutes, or run none. */
const OTHERS = /\/(batch-invariance|bind|contracts|parts|product-mat(h|rix).*)\.test\.ts$/;

const files: readonly (readonly [file: string, text: string])[] = readdirSync(join(ROOT, FOLDER))
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `${FOLDER}/${name}`)
  .filter((file) => !OTHERS.test(file))
  .map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]);

/** Files that import the function of a kernel such as `rms_norm` from its own. */
export function ownTests(kernel: string): string[] {
  const called = kernel.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const imports = new RegExp(`import \\{[^}]*\\b${called}\\b[^}]*\\} from '\\.\\./\\.\\./kernels/`);
  return files.filter(([, text]) => imports.test(text)).map(([file]) => file);
}
