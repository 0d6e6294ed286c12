/** Clients that are gone before they were answered. */
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Calls `leave` when a connection ends before an answer on it does. Of requests that one client sent in a
 * row, without waiting for answers, Node tells the first one's answer alone: so it is the socket that is asked.
 */
export function onLeave(
  { socket }: Pick<FastifyRequest, 'socket'>,
  { raw }: Pick<FastifyReply, 'raw'>,
  leave: () => void,
): void {
  if (socket.destroyed) {
    leave();
    return;
  }
  socket.setMaxListeners(0); // as many as there are requests in a row
  socket.once('close', leave);
  raw.once('finish', () => socket.off('close', leave));
}
