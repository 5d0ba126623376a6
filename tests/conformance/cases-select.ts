// cases-select.ts: waiting for the first of several: only the arm that wins has taken anything, and nothing is left of the others.
import { connect, forEach, now, type Op, type Socket, select, sleep, timeout } from 'tendril';
import { fill } from './bulk.ts';
import { type Case, ending, hear, pairCase, parked, placeCase, say, send, start, text, waiting, when } from './case.ts';
import type { Place } from './ground.ts';

/** The near ends of two connections, and their far ends. */
function* two(place: Place): Op<{ near: readonly [Socket, Socket]; far: readonly [Socket, Socket] }> {
  const one = yield* place.pair('connected');
  const other = yield* place.pair('accepted');
  return { near: [one.near, other.near], far: [one.far, other.far] };
}

export const selecting: readonly Case[] = [
  placeCase(
    'reads from the socket that has something, and takes nothing from the other',
    { key: 'b', got: 'for b', a: 'for a' },
    function* (place) {
      const { near, far } = yield* two(place);
      const [a, b] = near;
      const selector = yield* waiting(() => select({ a: a.readUntil('.'), b: b.readUntil('.') }));
      yield* say(far[1], 'for b');
      const { key, value } = yield* selector.get();
      yield* say(far[0], 'for a');
      return { key, got: text(value), a: yield* hear(a) };
    },
  ),

  placeCase(
    'takes from one socket only if both have something',
    { rounds: 40, a: 'aaaaaaaaaaaaaaaaaaaa', b: 'bbbbbbbbbbbbbbbbbbbb' },
    function* (place) {
      const { near, far } = yield* two(place);
      const [a, b] = near;
      yield* send(far[0], 'a'.repeat(20));
      yield* send(far[1], 'b'.repeat(20));
      yield* when(() => a.buffered === 20 && b.buffered === 20);
      const got = { a: '', b: '' };
      let rounds = 0;
      for (; a.buffered + b.buffered > 0; rounds += 1) {
        const arms = { a: a.buffered > 0 ? a.read(1) : null, b: b.buffered > 0 ? b.read(1) : null };
        const { key, value } = yield* select(arms);
        got[key] += text(value);
      }
      return { rounds, ...got };
    },
  ),

  placeCase('accepts or reads, whichever comes first', ['read talk', 'accept', 'read more'], function* (place) {
    const listener = yield* place.listen();
    const client = yield* place.connect(listener);
    const server = yield* place.accept(listener);
    const order: string[] = [];
    for (const next of ['talk', 'connect', 'more']) {
      const selector = yield* waiting(() => select({ accept: listener.accept(), read: server.readUntil('.') }));
      if (next === 'connect') yield* place.connect(listener);
      else yield* say(client, next);
      const chosen = yield* selector.get();
      if (chosen.key === 'accept') place.keep(chosen.value);
      order.push(chosen.key === 'accept' ? 'accept' : `read ${text(chosen.value)}`);
    }
    return order;
  }),

  pairCase(
    'takes nothing when another arm wins, and everything afterwards',
    ['tick', 'else', 'whole line'],
    function* (near, far) {
      yield* send(far, 'whole ');
      yield* when(() => near.buffered === 6);
      const first = yield* select({ line: near.readLine(), tick: sleep(3) });
      const second = yield* select({ line: near.readLine() }, { else: undefined });
      yield* send(far, 'line\n');
      const third = yield* select({ line: near.readLine(), tick: sleep(10_000) });
      return [first.key, second.key, third.value];
    },
  ),

  pairCase(
    'is told of the end, and of the close, in an arm',
    ['read', null, 'ClosedError ERR_CLOSED'],
    function* (near, far) {
      const selector = yield* waiting(() => select({ read: near.read(), never: sleep(10_000) }));
      far.end();
      const { key, value } = yield* selector.get();
      const other = yield* waiting(() => select({ read: far.read(), never: sleep(10_000) }));
      far.close();
      return [key, value === undefined ? 'nothing' : text(value), yield* ending(other.get())];
    },
  ),

  pairCase(
    'refuses to read one socket in two arms, and is none the worse',
    ['BusyError ERR_BUSY', 'still here'],
    function* (near, far) {
      const error = yield* ending(select([near.read(), near.readLine()]));
      yield* say(far, 'still here');
      return [error, yield* hear(near)];
    },
  ),

  pairCase(
    'reads while it waits for room to write, and writes none of what lost',
    { key: 'read', got: 'stop', tail: true },
    function* (near, far, place) {
      yield* fill(near, place);
      const selector = yield* waiting(() => select({ write: near.write('never sent'), read: near.readUntil('.') }));
      yield* say(far, 'stop');
      const { key, value } = yield* selector.get();
      near.end();
      let tail = '';
      yield* forEach(far, function* (chunk) {
        tail = (tail + chunk.toString('latin1')).slice(-10);
      });
      return { key, got: value === undefined ? 'nothing' : text(value), tail: tail !== 'never sent' };
    },
  ),

  placeCase(
    'keeps one of two connections that are made at once, and leaves nothing of the other',
    { one: true, got: 'hello' },
    function* (place) {
      const a = yield* place.listen();
      const b = yield* place.listen();
      const { key, value } = yield* select({ a: connect(a.address), b: connect(b.address) });
      const socket = place.keep(value);
      const chosen = key === 'a' ? a : b;
      const server = yield* place.accept(chosen);
      yield* say(socket, 'hello');
      return { one: String(socket.remoteAddress) === String(chosen.address), got: yield* hear(server) };
    },
    { TLS: 'connectTls is several waits: it can take part in a race, not in a select' },
  ),

  placeCase(
    'gives every connection to forEach until the listener closes',
    { served: ['0', '1', '2'], ended: 'ok' },
    function* (place) {
      const listener = yield* place.listen();
      const served: (string | null)[] = [];
      const server = start(() =>
        forEach(listener, function* (socket) {
          served.push(yield* hear(place.keep(socket)));
        }),
      );
      for (let i = 0; i < 3; i += 1) {
        yield* say(yield* place.connect(listener), String(i));
        yield* when(() => served.length === i + 1);
      }
      yield* parked(server);
      listener.close();
      return { served, ended: yield* ending(server.get()) };
    },
  ),

  pairCase(
    'limits a silence, and a conversation that would never end by itself',
    { total: 'TimeoutError ERR_TIMEOUT', which: 'the total', talked: true, silence: 'TimeoutError ERR_TIMEOUT' },
    function* (near, far, place) {
      const trickle = start(function* () {
        for (;;) {
          yield* far.write('.');
          yield* sleep(3);
        }
      });
      yield* when(() => near.buffered > 0);
      let pieces = 0;
      const began = now();
      const total = yield* ending(
        timeout(
          40,
          forEach({ read: () => timeout(5_000, near.read()) }, function* () {
            pieces += 1;
          }),
        ),
      );
      const which = now() - began < 5_000 ? 'the total' : 'the silence';
      trickle.kill();
      yield* trickle.join();
      yield* place.settle();
      if (near.buffered > 0) yield* near.read();
      return { total, which, talked: pieces > 0, silence: yield* ending(timeout(20, near.read())) };
    },
  ),
];
