// cases-serve.ts: a server with a handler for each connection: limits, and handlers that return, throw and are idle.
import { type Op, type Socket, timeout } from 'tendril';
import { MIB, MUCH, pour, Sink } from './bulk.ts';
import { type Case, placeCase, readToEnd, send, start, text, when } from './case.ts';
import { ask, customer, obey, serving, stop } from './server.ts';

function* echo(socket: Socket): Op<void> {
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) yield* socket.write(chunk);
}

export const servingCases: readonly Case[] = [
  placeCase(
    'serves many clients at once, and sends what a handler wrote',
    { wrong: 0, accepted: 30, stopped: 'ok' },
    function* (place) {
      const served = yield* serving(place, echo);
      const clients = Array.from({ length: 30 }, (_, i) =>
        start(function* () {
          const socket = yield* place.connect(served.listener);
          yield* socket.write(`client ${i}`);
          socket.end();
          return (yield* readToEnd(socket)) === `client ${i}`;
        }),
      );
      let wrong = 0;
      for (const client of clients) if (!(yield* client.get())) wrong += 1;
      const stopped = yield* stop(served);
      return { wrong, accepted: served.listener.stats.accepted, stopped };
    },
  ),

  placeCase(
    'sends everything that a handler wrote before it returned, and the end',
    { size: 4 * MIB, intact: true, stopped: 'ok' },
    function* (place) {
      const served = yield* serving(place, (socket) => pour(socket, 4 * MIB));
      const socket = yield* place.connect(served.listener);
      const sink = new Sink();
      yield* sink.drain(socket);
      socket.close();
      return { size: sink.size, intact: sink.intact, stopped: yield* stop(served) };
    },
  ),

  placeCase(
    'closes what comes beyond maxConnections, counts it, and has room again when a handler has ended',
    { first: 'done: one', beyond: null, dropped: 1, next: 'done: two', stopped: 'ok' },
    function* (place) {
      const served = yield* serving(place, obey, { maxConnections: 1 });
      const { listener } = served;
      const one = yield* customer(place, listener);
      const beyond = yield* place.connect(listener);
      const end = text(yield* beyond.read());
      const first = yield* ask(one, 'one');
      one.close();
      yield* when(() => listener.stats.active === 0);
      const two = yield* customer(place, listener);
      const next = yield* ask(two, 'two');
      two.close();
      return { first, beyond: end, dropped: listener.stats.dropped, next, stopped: yield* stop(served) };
    },
  ),

  placeCase(
    "lets what comes beyond maxConnections wait with overflow: 'wait'",
    { waits: true, answer: 'done: at last', dropped: 0, stopped: 'ok' },
    function* (place) {
      const served = yield* serving(place, obey, { maxConnections: 1, overflow: 'wait' });
      const one = yield* customer(place, served.listener);
      const two = yield* place.connect(served.listener);
      const answer = start(() => ask(two, 'at last'));
      yield* place.settle();
      const waits = answer.state === 'parked' && served.listener.stats.active === 1;
      one.close();
      const said = yield* answer.get();
      two.close();
      return { waits, answer: said, dropped: served.listener.stats.dropped, stopped: yield* stop(served) };
    },
  ),

  placeCase(
    'closes only the connection of a handler that throws, reports the error once, and goes on',
    {
      thrower: null,
      other: 'done: go on',
      later: 'done: me too',
      errors: ['Error: as asked'],
      handlerErrors: 1,
      stopped: 'ok',
    },
    function* (place) {
      const served = yield* serving(place, obey);
      const other = yield* customer(place, served.listener);
      const thrower = yield* customer(place, served.listener);
      const end = yield* ask(thrower, 'throw');
      const said = yield* ask(other, 'go on');
      const newcomer = yield* customer(place, served.listener);
      const later = yield* ask(newcomer, 'me too');
      other.close();
      newcomer.close();
      const stopped = yield* stop(served);
      const { handlerErrors } = served.listener.stats;
      return { thrower: end, other: said, later, errors: place.errors.splice(0).map(String), handlerErrors, stopped };
    },
  ),

  placeCase(
    'counts what a peer does to its own connection, and reports nothing of it',
    { errors: 2, stopped: 'ok' },
    function* (place) {
      const served = yield* serving(place, function* (socket) {
        if ((yield* socket.readLine()) === 'a flood, please') yield* pour(socket, MUCH);
        yield* socket.readLine();
      });
      const cut = yield* place.connect(served.listener);
      yield* send(cut, 'hello\nno end of this line');
      cut.end();
      yield* when(() => served.listener.stats.handlerErrors === 1);
      const gone = yield* place.connect(served.listener);
      yield* send(gone, 'a flood, please\n');
      yield* when(() => gone.buffered >= 65_536);
      yield* place.settle();
      gone.close();
      yield* when(() => served.listener.stats.handlerErrors === 2);
      return { errors: served.listener.stats.handlerErrors, stopped: yield* stop(served) };
    },
  ),

  placeCase(
    'drops a client that is silent for longer than it may be, and no other',
    { silent: null, patient: 'done: at last', stopped: 'ok' },
    function* (place) {
      // Each client says first how long it may be silent.
      const served = yield* serving(place, function* (socket) {
        let limitMs = Number.POSITIVE_INFINITY;
        for (;;) {
          const line = yield* timeout(limitMs, socket.readLine(), { else: null });
          if (line === null) return;
          if (line.startsWith('limit ')) limitMs = Number(line.slice(6));
          yield* socket.write(`done: ${line}\n`);
        }
      });
      const silent = yield* customer(place, served.listener);
      const patient = yield* customer(place, served.listener);
      yield* ask(patient, 'limit 60000');
      yield* ask(silent, 'limit 20');
      const end = text(yield* silent.read());
      silent.close();
      const said = yield* ask(patient, 'at last');
      patient.close();
      return { silent: end, patient: said, stopped: yield* stop(served) };
    },
  ),
];
