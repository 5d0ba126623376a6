// chat-server.ts: a chat room: whoever connects says a name, and then every line goes to all the others.
//
// Each member has two greenlets: one reads lines from the socket, one writes what waits in the member's outbox. The outbox has room for 100
// lines; who does not read for so long is killed, which closes the connection, and so one slow member never holds up the room.
//
// How to run: npx tsx samples/chat-server.ts         two people talk, then it ends
//             npx tsx samples/chat-server.ts 7001    it stays: try `nc 127.0.0.1 7001`, twice

import {
  Channel,
  connect,
  current,
  forEach,
  type Greenlet,
  hub,
  listen,
  main,
  type Op,
  type Socket,
  scope,
  serve,
  spawn,
} from 'tendril';

const room = new Map<string, { readonly outbox: Channel<string>; readonly greenlet: Greenlet }>();

function say(line: string, except?: string): void {
  for (const [name, { outbox, greenlet }] of room) {
    if (name !== except && !outbox.trySend(line)) greenlet.kill('does not read');
  }
}

function* chat(socket: Socket): Op<void> {
  yield* socket.write('your name?\n');
  const name = yield* socket.readLine({ limit: 40 });
  if (name === null || name === '' || room.has(name)) return yield* socket.write('not that one\n');
  const outbox = new Channel<string>(100, { name: `outbox of ${name}` });
  yield* scope(function* member(s): Op<void> {
    s.spawn(forEach, outbox, (line: string) => socket.write(`${line}\n`));
    room.set(name, { outbox, greenlet: current() });
    try {
      say(`* ${name} is here, that makes ${room.size}`);
      for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
        say(`${name}: ${line}`, name);
    } finally {
      room.delete(name);
      outbox.close(); // what waits in it is still sent
      say(`* ${name} has left`);
    }
  });
}

function* join(port: number, name: string): Op<Socket> {
  const socket = yield* connect({ host: '127.0.0.1', port });
  yield* socket.readLine(); // your name?
  yield* socket.write(`${name}\n`);
  console.log(`${name} reads: ${yield* socket.readLine()}`);
  return socket;
}

function* twoPeopleTalk(port: number): Op<void> {
  const ada = yield* join(port, 'Ada');
  const ben = yield* join(port, 'Ben');
  yield* ben.write('hello\nanybody here?\n');
  for (let i = 0; i < 3; i += 1) console.log(`Ada reads: ${yield* ada.readLine()}`);
  yield* ada.write('only the two of us\n');
  console.log(`Ben reads: ${yield* ben.readLine()}`);
  yield* ben.closeGracefully();
  console.log(`Ada reads: ${yield* ada.readLine()}`);
  yield* ada.closeGracefully();
}

main(function* program(): Op<void> {
  // A member who sends a line without an end, say, loses the connection, and that is all.
  hub.on('error', (error) => console.error('a connection was given up:', error));
  const port = Number(process.argv[2] ?? 0);
  const listener = yield* listen({ host: '127.0.0.1', port });
  const server = spawn(serve, listener, chat);
  if (port === 0) {
    yield* twoPeopleTalk(listener.address.port);
    listener.close();
  }
  yield* server.get(); // until the listener is closed, or Ctrl-C
});
