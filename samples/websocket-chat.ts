// websocket-chat.ts: a chat room over WebSockets, server and clients, read from top to bottom.
//
// Each member has two greenlets on the server: one receives, one sends what waits in the member's outbox. The outbox has room for 20 lines; whoever does not
// read for so long is killed, which closes the connection: one slow member never holds up the room.
//
// How to run: npx tsx samples/websocket-chat.ts         four people talk, one vanishes, one does not read; then it ends
//             npx tsx samples/websocket-chat.ts 7001    it stays: try `npx wscat -c 'ws://127.0.0.1:7001/?name=Ada'`, twice

import { Channel, current, forEach, type Greenlet, type http, hub, main, type Op, scope, spawn } from 'tendril';
import * as websocket from 'tendril/websocket';

const room = new Map<string, { readonly outbox: Channel<string>; readonly greenlet: Greenlet }>();

function say(line: string, except?: string): void {
  for (const [name, { outbox, greenlet }] of room) {
    if (name !== except && !outbox.trySend(line)) greenlet.kill('does not read');
  }
}

function* chat(socket: websocket.WebSocket, request: http.ServerRequest): Op<void> {
  const { name = '' } = request.query;
  if (name === '' || room.has(name)) return yield* socket.close(3000, 'not that name');
  const outbox = new Channel<string>(20, { name: `outbox of ${name}` });
  yield* scope(function* member(s): Op<void> {
    s.spawn(forEach, outbox, (line: string) => socket.send(line));
    room.set(name, { outbox, greenlet: current() });
    try {
      say(`* ${name} is here, that makes ${room.size}`);
      for (let line = yield* socket.receive(); line !== null; line = yield* socket.receive())
        say(`${name}: ${line}`, name);
    } finally {
      room.delete(name);
      outbox.close(); // what waits in it is still sent
      say(`* ${name} has left`);
    }
  });
}

function* join(port: number, name: string): Op<websocket.WebSocket> {
  const socket = yield* websocket.connect(`ws://127.0.0.1:${port}/?name=${name}`);
  console.log(`${name} reads: ${yield* socket.receive()}`);
  return socket;
}

function* fourPeople(port: number): Op<void> {
  const ada = yield* join(port, 'Ada');
  const ben = yield* join(port, 'Ben');
  const reads = function* (): Op<void> {
    console.log(`Ada reads: ${yield* ada.receive()}`);
  };
  yield* reads();
  yield* ben.send('hello');
  yield* reads();

  // Cleo's program is killed while she waits for somebody to say something.
  const cleo = spawn(function* (): Op<void> {
    const socket = yield* join(port, 'Cleo');
    try {
      for (;;) yield* socket.receive();
    } finally {
      socket.terminate();
    }
  });
  yield* reads();
  cleo.kill();
  yield* reads();

  // Dan is here and reads nothing, while Ben says a great deal.
  const dan = yield* websocket.connect(`ws://127.0.0.1:${port}/?name=Dan`, { highWaterMark: 1 });
  yield* reads();
  const line = 'bla '.repeat(16_000);
  let lines = 0;
  for (let text = ''; !text.endsWith('has left'); text = String(yield* ada.receive())) {
    if (text.startsWith('Ben')) lines += 1;
    if (room.has('Dan')) yield* ben.send(line);
  }
  console.log(`Ada has read ${lines > 20 ? 'more than 20' : lines} lines of Ben, and that Dan has left`);
  dan.terminate();

  const other = yield* websocket.connect(`ws://127.0.0.1:${port}/?name=Ada`);
  console.log(`another Ada reads: ${yield* other.receive()}, because of ${other.closeCode} ${other.closeReason}`);
  yield* ben.close();
  let text = '';
  while (!text.endsWith('has left')) text = String(yield* ada.receive());
  console.log(`Ada reads: ${text}`);
  yield* ada.close();
}

main(function* program(): Op<void> {
  hub.on('error', (error) => console.error('a connection was given up:', error));
  const port = Number(process.argv[2] ?? 0);
  const server = websocket.serve({ host: '127.0.0.1', port }, chat);
  const serving = spawn(() => server);
  const address = yield* server.ready();
  if (port === 0) {
    yield* fourPeople(address.port);
    yield* server.stop();
    console.log(`${server.stats.requests} came, ${room.size} are here`);
  }
  yield* serving.get(); // until the server is stopped, or Ctrl-C
});
