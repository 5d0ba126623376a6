// ws.test.ts: ws in greenlets, both sides.
//
// Messages come as events: `on` makes a channel of them. A kill ends the wait and takes the listener away; the connection stays, and a late message has no reader.
// A greenlet that owns its connection closes it in `finally`.
import type { AddressInfo } from 'node:net';
import { callback, Event, type Op, on, once, sleep, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { inSequence, type Library, libraryTests, type Subject, using } from './subject.ts';

class Ws implements Subject {
  readonly server: WebSocketServer;
  readonly client: WebSocket;
  readonly waiting: (() => void)[] = [];

  constructor(server: WebSocketServer, client: WebSocket) {
    this.server = server;
    this.client = client;
  }

  static *open(): Op<Ws> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    yield* once(server, 'listening');
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ws = new Ws(server, client.setMaxListeners(0));
    server.on('connection', (socket) => {
      socket.on('message', (data) => {
        const text = String(data);
        if (text === 'held') ws.waiting.push(() => socket.send('late'));
        else socket.send(text);
      });
    });
    yield* once(client, 'open');
    return ws;
  }

  /** Send `text`, and wait for the message that repeats it, or for another. */
  *ask(text: string, answer = text): Op<string> {
    const messages = on<[RawData]>(this.client, 'message');
    try {
      yield* callback((done) => this.client.send(text, done));
      for (;;) {
        const [data] = yield* messages.receive();
        if (String(data) === answer) return answer;
      }
    } finally {
      messages.close();
    }
  }

  *one(n: number): Op<number> {
    return Number(yield* this.ask(String(n)));
  }

  *held(): Op<unknown> {
    return yield* this.ask('held', 'late');
  }

  *holding(): Op<number> {
    return this.waiting.length;
  }

  *release(): Op<void> {
    for (const answer of this.waiting.splice(0)) answer();
  }

  *close(): Op<void> {
    const { client, server } = this;
    if (client.readyState !== WebSocket.CLOSED) {
      client.close();
      yield* once(client, 'close');
    }
    yield* callback((done) => server.close(done));
  }
}

const library = { open: () => Ws.open(), inFlight: 'goes on', meanwhile: 'answered', orphans: 0 } as const;

libraryTests('ws', library satisfies Library, false, () => {
  it('has no listener left after a kill in flight', async () => {
    const seen = await using(library, function* (subject) {
      const { client } = subject as Ws;
      const before = client.listenerCount('message');
      const asking = spawn(() => subject.held());
      while ((yield* subject.holding()) === 0) yield* sleep(1);
      const during = client.listenerCount('message');
      asking.kill();
      yield* asking.join();
      const after = client.listenerCount('message');
      yield* subject.release();
      return { during: during - before, after: after - before, answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ during: 1, after: 0, answers: [1, 2, 3] });
  });

  it('closes the connection of a greenlet that is killed, which the server sees', async () => {
    const seen = await using(library, function* (subject) {
      const { server } = subject as Ws;
      const { port } = server.address() as AddressInfo;
      const open = new Event();
      const accepted = spawn(() => once<[WebSocket]>(server, 'connection'));
      const talking = spawn(function* () {
        const socket = new WebSocket(`ws://127.0.0.1:${port}`);
        try {
          yield* once(socket, 'open');
          open.set();
          yield* once(socket, 'message');
        } finally {
          socket.close(4000, 'killed');
        }
      });
      const [peer] = yield* accepted.get();
      const closed = spawn(() => once<[number, Buffer]>(peer, 'close'));
      yield* open.wait();
      talking.kill();
      const [code, reason] = yield* closed.get();
      yield* talking.join();
      return { code, reason: String(reason), answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ code: 4000, reason: 'killed', answers: [1, 2, 3] });
  });
});
