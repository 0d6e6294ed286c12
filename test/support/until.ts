/** Waits for what happens outside of this process. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves once `holds` holds; fails after a minute. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 6000) throw new Error('waited for a minute in vain');
    await sleep(10);
  }
}
