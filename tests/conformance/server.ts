// server.ts: a server and its customers, for the cases of serve().
import { type Greenlet, type Listener, type Op, type ServeOptions, type Socket, serve, sleep } from 'tendril';
import { ending, start } from './case.ts';
import type { Place } from './ground.ts';

/** Answer each line; `throw` and `hang` are taken as asked. */
export function* obey(socket: Socket): Op<void> {
  for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
    if (line === 'throw') throw new Error('as asked');
    if (line === 'hang') yield* sleep(Number.POSITIVE_INFINITY);
    if (line === 'work') yield* sleep(30);
    yield* socket.write(`done: ${line}\n`);
  }
}

export interface Served {
  readonly listener: Listener;
  readonly server: Greenlet<void>;
}

export function* serving(place: Place, handler: (socket: Socket) => Op<unknown>, options?: ServeOptions): Op<Served> {
  const listener = yield* place.listen();
  return { listener, server: start(() => serve(listener, handler, options)) };
}

/** A new client that has been served its first line. */
export function* customer(place: Place, listener: Listener): Op<Socket> {
  const socket = yield* place.connect(listener);
  yield* socket.write('hello\n');
  yield* socket.readLine();
  return socket;
}

export function* ask(socket: Socket, line: string): Op<string | null> {
  yield* socket.write(`${line}\n`);
  return yield* socket.readLine();
}

export function* stop({ listener, server }: Served): Op<string> {
  listener.close();
  return yield* ending(server.get());
}
