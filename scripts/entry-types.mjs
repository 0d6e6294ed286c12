// Writes the declarations that `exports` names: each entry point twice. TypeScript before 6.0 has no
// WebGPU in its own library and gets a reference to @webgpu/types. From 6.0 on its names clash with
// those of that package, and all it lacks are the constants (GPUBufferUsage and so on).
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const constants = 'dist/types/webgpu-constants.d.ts';

mkdirSync(join(root, dirname(constants)), { recursive: true });
writeFileSync(
  join(root, constants),
  readFileSync(join(root, 'src', 'webgpu-constants.d.ts'), 'utf8'),
);
for (const conditions of Object.values(exports)) {
  if (typeof conditions === 'string') continue;
  const built = conditions.default.replace(/\.js$/, '.d.ts');
  write(built, conditions['types@<6.0'], () => 'types="@webgpu/types"');
  write(built, conditions.types, (file) => `path="${pathTo(constants, file)}"`);
}

/** Writes the entry that re-exports `built`, or one for each folder that a pattern stands for. */
function write(built, entry, reference) {
  const [before, after] = built.split('*');
  const names = after === undefined ? [''] : foldersWith(before, after);
  for (const name of names) {
    const file = entry.replace('*', name);
    const from = pathTo(built.replace('*', name), file).replace(/\.d\.ts$/, '.js');
    mkdirSync(join(root, dirname(file)), { recursive: true });
    writeFileSync(
      join(root, file),
      `/// <reference ${reference(file)} />\nexport * from '${from}';\n`,
    );
  }
}

function foldersWith(before, after) {
  return readdirSync(join(root, before)).filter((name) =>
    existsSync(join(root, `${before}${name}${after}`)),
  );
}

function pathTo(target, file) {
  return relative(join(root, dirname(file)), join(root, target)).replaceAll('\\', '/');
}
