#!/usr/bin/env node
/** The command `llamagen`. */
import { standWithCaller } from '../node/caller.ts';
import { runCommandLine, sayStopped } from './run.ts';
import { listenForStop } from './signals.ts';

/** How long a failed run may take to end by itself. */
const LINGER_MS = 200;

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader went away, as in `llamagen info | head`.
    if (error.code !== 'EPIPE') throw error;
  });
}
standWithCaller();
const args = process.argv.slice(2);
let ended = false;
const stop = listenForStop((stopped) => {
  if (!ended) sayStopped(stopped, args, process);
});
process.exitCode = await runCommandLine(args, stop, process);
ended = true;
// What is still open must not keep a failed run; one that has nothing open ends before.
if (process.exitCode !== 0) setTimeout(() => process.exit(), LINGER_MS).unref();
