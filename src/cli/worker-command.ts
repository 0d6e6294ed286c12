/** The options of `llamagen worker`. */
import type { AddCommand, Runner } from './command-kit.ts';
import { queueNameOption, queueOption, withDrawing } from './drawing-options.ts';

/** Adds the command. */
export function addWorker(command: AddCommand, run: Runner): void {
  const worker = command('worker', 'Draw what "llamagen serve --queue" puts into a queue.');
  withDrawing(worker)
    .addOption(
      queueOption('address of a Redis, such as redis://127.0.0.1:6379').makeOptionMandatory(),
    )
    .addOption(queueNameOption())
    .action(run(async () => (await import('./worker.ts')).runWorker));
}
