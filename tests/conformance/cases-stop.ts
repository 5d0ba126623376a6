// cases-stop.ts: stopping a server: gently, by closing its listener, and by a kill, with and without grace.
import { shield, sleep } from 'tendril';
import { type Case, ending, placeCase, start, text } from './case.ts';
import { ask, customer, obey, serving } from './server.ts';

const KILLED = 'GreenletKilledError ERR_GREENLET_KILLED';

export const stopping: readonly Case[] = [
  placeCase(
    'lets handlers finish when its listener is closed, and takes nobody else',
    { during: 'done: still here', server: 'parked', stopped: 'ok', active: 0 },
    function* (place) {
      const { listener, server } = yield* serving(place, obey);
      const client = yield* customer(place, listener);
      listener.close();
      const during = yield* ask(client, 'still here');
      const { state } = server;
      client.close();
      return { during, server: state, stopped: yield* ending(server.get()), active: listener.stats.active };
    },
  ),

  placeCase(
    'ends idle handlers soon when it is killed, and gives those at work their grace',
    { idle: null, work: 'done: work', server: KILLED, active: 0, closed: true },
    function* (place) {
      const { listener, server } = yield* serving(place, obey);
      const idle = yield* customer(place, listener);
      const busy = yield* customer(place, listener);
      const answer = start(() => ask(busy, 'work'));
      yield* place.settle();
      server.kill();
      const end = text(yield* idle.read());
      const work = yield* answer.get();
      busy.end();
      const stopped = yield* ending(server.get());
      return { idle: end, work, server: stopped, active: listener.stats.active, closed: listener.closed };
    },
  ),

  placeCase(
    'kills handlers that do not finish within their grace',
    { hanging: null, server: KILLED, cleanup: true, active: 0 },
    function* (place) {
      let cleanup = false;
      const { listener, server } = yield* serving(
        place,
        function* (socket) {
          try {
            yield* obey(socket);
          } finally {
            yield* shield(sleep(1));
            cleanup = true;
          }
        },
        { graceMs: 20 },
      );
      const client = yield* customer(place, listener);
      const answer = start(() => ask(client, 'hang'));
      yield* place.settle();
      server.kill();
      const stopped = yield* ending(server.get());
      return { hanging: yield* answer.get(), server: stopped, cleanup, active: listener.stats.active };
    },
  ),
];
