/** Connections of clients that do not take what they asked for. */
import type { ServerResponse } from 'node:http';

/** How often it is looked, in parts of the limit. */
const LOOKS = 4;

/**
 * Cuts the connection when bytes have waited for its client as long as the limit: a client that stopped
 * reading, or reads too slowly, keeps memory and a place. A stream writes its next event when the client
 * has taken the last one (`drain`), and begins anew then.
 */
export function cutWhenSlow(response: ServerResponse, limitMs: number, onCut: () => void): void {
  let since = performance.now();
  const restart = (): void => {
    since = performance.now();
  };
  const timer = setInterval(() => {
    if (response.writableLength === 0) restart();
    else if (performance.now() - since >= limitMs) {
      clearInterval(timer);
      onCut();
      response.destroy();
    }
  }, limitMs / LOOKS);
  timer.unref();
  response.on('drain', restart);
  response.once('close', () => clearInterval(timer));
}
