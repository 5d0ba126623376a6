// cases-kill.ts: waits that are given up by a kill or a timeout: what happened stays happened, what did not leaves no trace, and the next one goes on.
import { type Op, type Socket, sleep, timeout, type Waitable, yieldNow } from 'tendril';
import { clog, fill, MIB, MUCH, patternAt, Sink } from './bulk.ts';
import { type Case, ending, hear, pairCase, readToEnd, say, send, start, text, waiting, when } from './case.ts';
import type { Place } from './ground.ts';

const KILLED = 'GreenletKilledError ERR_GREENLET_KILLED';
const TIMEOUT = 'TimeoutError ERR_TIMEOUT';

interface Reading {
  readonly read: (socket: Socket) => Waitable<unknown>;
  /** What does not suffice, and what does. */
  readonly first: string;
  readonly second: string;
  readonly got: string;
}

const readings: Readonly<Record<string, Reading>> = {
  read: { read: (socket) => socket.read(), first: '', second: '!', got: '!' },
  peek: { read: (socket) => socket.peek(), first: '', second: '!', got: '!' },
  readExactly: { read: (socket) => socket.readExactly(9), first: 'half', second: '-way-', got: 'half-way-' },
  readLine: { read: (socket) => socket.readLine(), first: 'half', second: 'way\r\n', got: 'halfway' },
  readUntil: { read: (socket) => socket.readUntil('||'), first: 'half|', second: '|', got: 'half' },
};

/** For each way to read: how a wait ends that `giveUp` ends, and what the next one gets. */
function* givenUp(near: Socket, far: Socket, giveUp: (op: Waitable<unknown>) => Op<string>): Op<unknown> {
  const seen: Record<string, unknown[]> = {};
  for (const [name, { read, first, second }] of Object.entries(readings)) {
    yield* send(far, first);
    yield* when(() => near.buffered === first.length);
    const error = yield* giveUp(read(near));
    yield* send(far, second);
    seen[name] = [error, String(yield* read(near))];
    if (name === 'peek') yield* near.read();
  }
  return seen;
}

const afterwards = (error: string): unknown =>
  Object.fromEntries(Object.entries(readings).map(([name, { got }]) => [name, [error, got]]));

function* killed(op: Waitable<unknown>): Op<string> {
  const greenlet = yield* waiting(() => op);
  greenlet.kill();
  return yield* ending(greenlet.get());
}

/** As `fill`, and say how much of the pattern was taken. */
function* fillAndCount(socket: Socket, place: Place): Op<number> {
  let size = 0;
  for (let refusals = 0; refusals < 2; ) {
    const piece = patternAt(size, 100_000);
    if ((yield* ending(timeout(place.site.settleMs, socket.write(piece)))) === 'ok') size += piece.length;
    else refusals += 1;
  }
  return size;
}

/** Read to the end while `far` is sent what is left of `MUCH` bytes of the pattern after the first `size`. */
function* rest(near: Socket, far: Socket, size: number): Op<unknown> {
  const sink = new Sink();
  const reader = start(() => sink.drain(far));
  for (let at = size; at < MUCH; at += MIB / 16) yield* near.write(patternAt(at, Math.min(MIB / 16, MUCH - at)));
  near.end();
  yield* reader.get();
  return { size: sink.size, intact: sink.intact };
}

export const killing: readonly Case[] = [
  pairCase('loses no byte to a reader that is killed while it waits', afterwards(KILLED), (near, far) =>
    givenUp(near, far, killed),
  ),

  pairCase('loses no byte to a reader that times out', afterwards(TIMEOUT), (near, far) =>
    givenUp(near, far, (op) => ending(timeout(3, op))),
  ),

  pairCase(
    'loses no line and doubles none when its readers are killed again and again',
    { lines: true, kills: true, end: null },
    function* (near, far) {
      const lines = Array.from({ length: 60 }, (_, i) => `line ${i * 7}`);
      const written = `${lines.join('\n')}\n`;
      const writer = start(function* () {
        for (let at = 0; at < written.length; at += 5) {
          yield* send(far, written.slice(at, at + 5));
          yield* yieldNow();
        }
        far.end();
      });
      const got: string[] = [];
      let kills = 0;
      for (let round = 0; ; round += 1) {
        const reader = start(() => near.readLine());
        // Now before it has run, now while it waits, now when something may have come.
        if (round % 3 === 1) yield* yieldNow();
        if (round % 3 === 2) yield* sleep(1);
        reader.kill();
        yield* reader.join();
        const { outcome } = reader;
        if (outcome?.ok !== true) kills += 1;
        else if (outcome.value === null) break;
        else got.push(outcome.value);
      }
      yield* writer.join();
      return { lines: got.join() === lines.join(), kills: kills > 0, end: yield* near.readLine() };
    },
  ),

  pairCase(
    'sends nothing of a write that is killed or times out while it waits for room',
    { killed: KILLED, timeout: TIMEOUT, got: { size: MUCH, intact: true } },
    function* (near, far, place) {
      const size = yield* fillAndCount(near, place);
      const death = yield* killed(near.write('nothing of this'));
      const late = yield* ending(timeout(3, near.write('nor of this')));
      return { killed: death, timeout: late, got: yield* rest(near, far, size) };
    },
  ),

  pairCase(
    'lets the next writer in when one that waits before it is killed',
    { first: KILLED, second: 'ok', tail: 'second' },
    function* (near, far, place) {
      yield* fill(near, place);
      const first = yield* waiting(() => near.write('first'));
      const second = yield* waiting(() => near.write('second'));
      first.kill();
      const reader = start(() => readToEnd(far));
      const told = [yield* ending(first.get()), yield* ending(second.get())];
      near.end();
      return { first: told[0], second: told[1], tail: (yield* reader.get()).slice(-6) };
    },
  ),

  pairCase(
    'sends what was queued although who flushes it is killed or times out',
    { killed: KILLED, timeout: TIMEOUT, flush: 'ok', size: MUCH },
    function* (near, far) {
      yield* near.write(Buffer.alloc(MUCH));
      const death = yield* killed(near.flush());
      const late = yield* ending(timeout(3, near.flush()));
      const reader = start(() => far.readExactly(MUCH));
      const flush = yield* ending(near.flush());
      return { killed: death, timeout: late, flush, size: (yield* reader.get()).length };
    },
  ),

  pairCase(
    'goes on writing when its reader is killed, and reading when its writer is',
    { reader: KILLED, heard: 'still writing', writer: KILLED, got: 'still reading' },
    function* (near, far, place) {
      const reader = yield* killed(near.read());
      yield* say(near, 'still writing');
      const heard = yield* hear(far);
      yield* fill(near, place);
      const writer = yield* killed(near.write('x'));
      yield* say(far, 'still reading');
      return { reader, heard, writer, got: yield* hear(near) };
    },
  ),

  pairCase(
    'closes at once a socket whose reader and writer are killed with it',
    { reader: KILLED, writer: KILLED, intact: true, end: null },
    function* (near, far, place) {
      const reader = start(() => near.read());
      const writer = yield* clog(near, place);
      reader.kill();
      writer.kill();
      near.close();
      const sink = new Sink();
      yield* sink.drain(far);
      const end = text(yield* far.read());
      return { reader: yield* ending(reader.get()), writer: yield* ending(writer.get()), intact: sink.intact, end };
    },
  ),
];
