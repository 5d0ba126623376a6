// line-server.ts: the server of the demo's line protocol: a command a line, an answer a line.
//
//   REVERSE text   OK txet
//   FAIL           ERR on purpose
//   CUT            half an answer, and the connection is closed
//   SILENCE        nothing, ever

import type { Op, Socket } from 'tendril';

/** Serve one connection until the client ends it. */
export function* serveLines(socket: Socket): Op<void> {
  for (;;) {
    const line = yield* socket.readLine();
    if (line === null) return;
    const [command = '', ...words] = line.split(' ');
    switch (command) {
      case 'REVERSE':
        yield* socket.write(`OK ${[...words.join(' ')].reverse().join('')}\n`);
        break;
      case 'CUT':
        yield* socket.write('OK and that is as far as it g');
        return;
      case 'SILENCE':
        break;
      default:
        yield* socket.write('ERR on purpose\n');
    }
  }
}
