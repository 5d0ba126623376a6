// cases-connect.ts: opening connections: what is made, is refused, hangs and is given up.
import { type ConnectError, type Greenlet, timeout, yieldNow } from 'tendril';
import { type Case, ending, hear, placeCase, say, start, text, thrown, told, waiting } from './case.ts';

const noHang = { Unix: 'where the queue of a Unix socket is full a connection is refused at once, it does not hang' };

export const connecting: readonly Case[] = [
  placeCase(
    'connects to a listener, and both ends talk',
    { asked: 'hello', answered: 'welcome', accepted: 1, pending: 0 },
    function* (place) {
      const listener = yield* place.listen();
      const acceptor = start(() => place.accept(listener));
      const client = yield* place.connect(listener);
      const server = yield* acceptor.get();
      yield* client.write('hello');
      const asked = text(yield* server.readExactly(5));
      yield* server.write('welcome');
      const answered = text(yield* client.readExactly(7));
      return { asked, answered, accepted: listener.stats.accepted, pending: listener.pending };
    },
  ),

  placeCase(
    'is refused where nobody listens',
    { error: 'ConnectError ECONNREFUSED', attempts: ['ECONNREFUSED'], names: true },
    function* (place) {
      const endpoint = yield* place.site.deserted();
      const error = (yield* thrown(place.dial(endpoint))) as ConnectError;
      const address = endpoint.path ?? `${endpoint.host}:${endpoint.port}`;
      return {
        error: told(error),
        attempts: error.attempts.map(({ code }) => code),
        names: error.attempts[0]?.address === address && error.message.includes(address),
      };
    },
    { 'simulated Unix': 'it has no files, so no name is left of a listener: the error is ENOENT' },
  ),

  placeCase(
    'finds nobody under the path of a listener that has closed',
    { before: 'ok', after: 'ConnectError ENOENT', again: 'ok' },
    function* (place) {
      const listener = yield* place.listen();
      const before = yield* ending(place.connect(listener));
      listener.close();
      const after = yield* ending(place.connect(listener));
      const second = yield* place.listen({}, listener.address);
      return { before, after, again: yield* ending(place.connect(second)) };
    },
    { TCP: 'it has a port, not a path: the connection is refused' },
  ),

  placeCase(
    'is refused by the address of a listener that has closed',
    { before: 'ok', after: 'ConnectError ECONNREFUSED' },
    function* (place) {
      const listener = yield* place.listen();
      const before = yield* ending(place.connect(listener));
      listener.close();
      return { before, after: yield* ending(place.connect(listener)) };
    },
    { Unix: 'the path goes with the listener, so the error is ENOENT' },
  ),

  placeCase(
    'may try again after a refusal, when somebody listens',
    ['ConnectError ECONNREFUSED', 'ok'],
    function* (place) {
      const endpoint = yield* place.site.deserted();
      const first = yield* ending(place.dial(endpoint));
      const listener = yield* place.listen({}, endpoint);
      return [first, yield* ending(place.connect(listener))];
    },
    { Unix: 'the name that is left of a Unix socket is in use until somebody removes it' },
  ),

  placeCase(
    'times out where no answer comes, and leaves nothing open',
    ['TimeoutError ERR_TIMEOUT', 'TimeoutError ERR_TIMEOUT'],
    function* (place) {
      const endpoint = yield* place.site.silent();
      return [yield* ending(place.dial(endpoint, { timeoutMs: 30 })), yield* ending(timeout(30, place.dial(endpoint)))];
    },
    noHang,
  ),

  placeCase(
    'is given up by a kill while no answer comes, and leaves nothing open',
    { error: 'GreenletKilledError ERR_GREENLET_KILLED', state: 'done' },
    function* (place) {
      const endpoint = yield* place.site.silent();
      const greenlet = yield* waiting(() => place.dial(endpoint));
      yield* place.settle();
      greenlet.kill();
      const error = yield* ending(greenlet.get());
      return { error, state: greenlet.state };
    },
    noHang,
  ),

  placeCase(
    'is given up by a kill as soon as it has begun; the next connection is none the worse',
    { error: 'GreenletKilledError ERR_GREENLET_KILLED', next: 'next' },
    function* (place) {
      const listener = yield* place.listen();
      let error = 'ok';
      // A slow machine may be connected before the kill comes: then it has happened, and is no answer to the question.
      while (error === 'ok') {
        const greenlet = start(() => place.dial(listener.address));
        yield* yieldNow();
        greenlet.kill();
        error = yield* ending(greenlet.get());
        if (error === 'ok') (yield* greenlet.get()).close();
      }
      yield* say(yield* place.connect(listener), 'next');
      // Whether the system had made the connection before it was given up is its own affair: if so, it ends without a byte.
      let next: string | null = null;
      while (next === null) next = yield* hear(yield* place.accept(listener));
      return { error, next };
    },
  ),

  placeCase('makes a hundred connections at once, and mixes none up', { wrong: 0, accepted: 100 }, function* (place) {
    const listener = yield* place.listen();
    const server = start(function* () {
      for (let i = 0; i < 100; i += 1) {
        const socket = yield* place.accept(listener);
        start(function* () {
          yield* socket.write(`you said ${yield* socket.readLine()}\n`);
        });
      }
    });
    const clients: Greenlet<boolean>[] = [];
    for (let i = 0; i < 100; i += 1) {
      clients.push(
        start(function* () {
          const socket = yield* place.connect(listener);
          yield* socket.write(`I am ${i}\n`);
          return (yield* socket.readLine()) === `you said I am ${i}`;
        }),
      );
    }
    let wrong = 0;
    for (const client of clients) if (!(yield* client.get())) wrong += 1;
    yield* server.join();
    return { wrong, accepted: listener.stats.accepted };
  }),
];
