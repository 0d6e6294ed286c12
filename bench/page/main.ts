/** `npm run bench:report [file.html]`: the page of plots from all files in bench/results. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { packageFolder } from '../../src/node/files.ts';
import { assertWritable, writeFileAtomic } from '../../src/node/output.ts';
import { isBenchFile, type NamedFile, page } from './page.ts';

const BENCH = join(packageFolder(), 'bench');

function readResults(folder: string): NamedFile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => {
      const file: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      return isBenchFile(file) ? [{ name, file }] : [];
    });
}

const program = new Command('bench:report')
  .description('Makes one HTML file of plots from the results of npm run bench -- --save.')
  .argument('[file]', 'where to write it', join(BENCH, 'report.html'))
  .option('--results <folder>', 'folder of the results', join(BENCH, 'results'));
await runScript(program, () => {
  const [path = join(BENCH, 'report.html')] = program.processedArgs as [string?];
  assertWritable(path);
  const files = readResults(program.opts<{ results: string }>().results);
  writeFileAtomic(path, page(files));
  console.log(`${path}: ${files.length} file${files.length === 1 ? '' : 's'} of results`);
});
