// client-sockets.ts: every TCP connection that this process has opened, whoever did, so that a test can tell that none is left.
import diagnostics from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { type Op, sleep } from 'tendril';

const opened = new Set<Socket>();
diagnostics.subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket };
  opened.add(socket);
  socket.once('close', () => opened.delete(socket));
});

/** How many are open. */
export function openSockets(): number {
  for (const socket of opened) if (socket.destroyed) opened.delete(socket);
  return opened.size;
}

/** Wait a moment for those on their way out, until `count` are open. */
export function* socketsLeft(count = 0): Op<number> {
  for (let i = 0; i < 200 && openSockets() > count; i += 1) yield* sleep(5);
  return openSockets();
}
