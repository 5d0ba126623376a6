// cases-accept.ts: listeners: the order of connections and acceptors, limits, and what becomes of both when the listener closes.
import { type Greenlet, sleep, timeout } from 'tendril';
import { type Case, ending, hear, placeCase, readToEnd, say, send, start, text, waiting, when } from './case.ts';

const CLOSED = 'ClosedError ERR_CLOSED';

export const accepting: readonly Case[] = [
  placeCase(
    'connects before anybody accepts; what is written meanwhile is there when somebody does',
    { got: 'early and ended', after: null },
    function* (place) {
      const listener = yield* place.listen();
      const client = yield* place.connect(listener);
      yield* send(client, 'early ');
      yield* send(client, 'and ended');
      client.end();
      yield* when(() => listener.pending === 1);
      yield* place.settle();
      const server = yield* place.accept(listener);
      return { got: yield* readToEnd(server), after: text(yield* server.read()) };
    },
  ),

  placeCase(
    'gives a late acceptor also what was written by a client that is gone by then',
    { got: 'last words', after: null },
    function* (place) {
      const listener = yield* place.listen();
      const client = yield* place.connect(listener);
      yield* send(client, 'last words');
      client.close();
      yield* when(() => listener.pending === 1);
      yield* place.settle();
      const server = yield* place.accept(listener);
      return { got: yield* readToEnd(server), after: text(yield* server.read()) };
    },
  ),

  placeCase('hands out connections in the order in which they came', ['0', '1', '2', '3', '4'], function* (place) {
    const listener = yield* place.listen();
    for (let i = 0; i < 5; i += 1) {
      yield* say(yield* place.connect(listener), String(i));
      yield* when(() => listener.pending === i + 1);
    }
    const order: unknown[] = [];
    for (let i = 0; i < 5; i += 1) order.push(yield* hear(yield* place.accept(listener)));
    return order;
  }),

  placeCase('serves acceptors in the order in which they came', ['0 got 0', '1 got 1', '2 got 2'], function* (place) {
    const listener = yield* place.listen();
    const order: string[] = [];
    const acceptors: Greenlet<void>[] = [];
    for (const number of [0, 1, 2]) {
      acceptors.push(
        yield* waiting(function* () {
          order.push(`${number} got ${yield* hear(yield* place.accept(listener))}`);
        }),
      );
    }
    for (const [number, acceptor] of acceptors.entries()) {
      yield* say(yield* place.connect(listener), String(number));
      yield* acceptor.join();
    }
    return order;
  }),

  placeCase(
    'takes an acceptor that is killed out of the queue; the connection goes to the next one',
    { killed: 'GreenletKilledError ERR_GREENLET_KILLED', got: 'for whoever is left', pending: 0 },
    function* (place) {
      const listener = yield* place.listen();
      const first = yield* waiting(() => place.accept(listener));
      const second = yield* waiting(() => place.accept(listener));
      first.kill();
      yield* say(yield* place.connect(listener), 'for whoever is left');
      const got = yield* hear(yield* second.get());
      return { killed: yield* ending(first.get()), got, pending: listener.pending };
    },
  ),

  placeCase(
    'times out in accept, and can accept afterwards',
    ['TimeoutError ERR_TIMEOUT', 'here I am'],
    function* (place) {
      const listener = yield* place.listen();
      const error = yield* ending(timeout(5, listener.accept()));
      yield* say(yield* place.connect(listener), 'here I am');
      return [error, yield* hear(yield* place.accept(listener))];
    },
  ),

  placeCase(
    'cannot listen where somebody listens already, who is not disturbed',
    { second: 'ListenError EADDRINUSE', got: 'still here' },
    function* (place) {
      const listener = yield* place.listen();
      const second = yield* ending(place.listen({}, listener.address));
      yield* say(yield* place.connect(listener), 'still here');
      return { second, got: yield* hear(yield* place.accept(listener)) };
    },
  ),

  placeCase(
    'listens again on an address that was closed, beside connections of the first listener',
    { old: 'from the first', got: 'for the second' },
    function* (place) {
      const first = yield* place.listen();
      const client = yield* place.connect(first);
      const server = yield* place.accept(first);
      first.close();
      const second = yield* place.listen({}, first.address);
      yield* say(server, 'from the first');
      const old = yield* hear(client);
      yield* say(yield* place.connect(second), 'for the second');
      return { old, got: yield* hear(yield* place.accept(second)) };
    },
  ),

  placeCase(
    'tells every waiting acceptor when the listener closes',
    { told: [CLOSED, CLOSED], later: CLOSED, closed: true },
    function* (place) {
      const listener = yield* place.listen();
      const first = yield* waiting(() => listener.accept());
      const second = yield* waiting(() => listener.accept());
      listener.close();
      listener.close();
      const told = [yield* ending(first.get()), yield* ending(second.get())];
      return { told, later: yield* ending(listener.accept()), closed: listener.closed };
    },
  ),

  placeCase(
    'ends the connections that nobody had accepted when the listener closes, and keeps those that somebody had',
    { waiting: null, kept: 'served', pending: 0 },
    function* (place) {
      const listener = yield* place.listen();
      const served = yield* place.connect(listener);
      const server = yield* place.accept(listener);
      const ignored = yield* place.connect(listener);
      yield* when(() => listener.pending === 1);
      listener.close();
      const end = text(yield* ignored.read());
      yield* say(server, 'served');
      return { waiting: end, kept: yield* hear(served), pending: listener.pending };
    },
  ),

  placeCase(
    'resets a connection that nobody had accepted, and whose data nobody had read, when the listener closes',
    ['ConnectionResetError ECONNRESET', 'ConnectionResetError ECONNRESET'],
    function* (place) {
      const listener = yield* place.listen();
      const ignored = yield* place.connect(listener);
      yield* send(ignored, 'is anybody there?');
      yield* when(() => listener.pending === 1);
      yield* place.settle();
      listener.close();
      return [yield* ending(ignored.read()), yield* ending(ignored.write('hello?'))];
    },
  ),

  placeCase(
    'closes connections beyond maxPending and counts them, and serves those that wait',
    { dropped: 1, beyond: null, got: 'first', accepted: 1 },
    function* (place) {
      const listener = yield* place.listen({ maxPending: 1 });
      const first = yield* place.connect(listener);
      yield* when(() => listener.pending === 1);
      const beyond = yield* place.connect(listener);
      const end = text(yield* beyond.read());
      yield* say(first, 'first');
      const got = yield* hear(yield* place.accept(listener));
      const { dropped, accepted } = listener.stats;
      return { dropped, beyond: end, got, accepted };
    },
  ),

  placeCase(
    'hands a connection to one acceptor only, also if its wait ends at that moment',
    { accepted: 20, served: 20 },
    function* (place) {
      const listener = yield* place.listen();
      let served = 0;
      const acceptor = start(function* () {
        while (served < 20) {
          const socket = yield* timeout(1, listener.accept(), { else: undefined });
          if (socket === undefined) continue;
          place.keep(socket);
          yield* say(socket, `you are ${served}`);
          served += 1;
        }
      });
      const answers = new Set<unknown>();
      for (let i = 0; i < 20; i += 1) {
        const client = yield* place.connect(listener);
        answers.add(yield* hear(client));
        yield* sleep(i % 3);
      }
      yield* acceptor.join();
      return { accepted: listener.stats.accepted, served: answers.size };
    },
  ),
];
