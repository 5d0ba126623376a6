// bugs.ts: small programs with a bug each, of the kinds that only another schedule, or another split of the bytes, brings out.
//
// They are explored in bugs.test.ts, and repeated by replay-one.ts in a process of its own.
import { Channel, Mutex, type Op, scope, select, sleep, spawn, yieldNow } from 'tendril';
import type { World } from 'tendril/testing';

export interface Bug {
  readonly name: string;
  readonly body: (world: World) => Op<void>;
  /** What the error says. */
  readonly message: RegExp;
}

function* abBa(): Op<void> {
  const a = new Mutex({ name: 'a' });
  const b = new Mutex({ name: 'b' });
  const both = function* (first: Mutex, second: Mutex) {
    yield* first.acquire();
    yield* second.acquire();
    second.release();
    first.release();
  };
  yield* scope(function* (s) {
    s.spawn(both, a, b);
    s.spawn(both, b, a);
  });
}

function* lostUpdate(): Op<void> {
  const store = new Map([['visits', 0]]);
  const requests = new Channel<() => void>(1);
  const visit = function* () {
    const seen = store.get('visits') as number;
    yield* requests.send(() => {});
    yield* requests.receive();
    store.set('visits', seen + 1);
  };
  yield* scope(function* (s) {
    for (let i = 0; i < 3; i += 1) s.spawn(visit);
  });
  if (store.get('visits') !== 3) throw new Error(`lost update: ${store.get('visits')} visits of 3`);
}

/** A worker takes a job and notes it only after it has waited: killed in between, the job is gone. */
function* lostOnKill(world: World): Op<void> {
  const jobs = new Channel<number>(4);
  const done: number[] = [];
  const worker = function* () {
    for (;;) {
      const job = yield* jobs.receive();
      yield* yieldNow();
      done.push(job);
    }
  };
  for (let job = 0; job < 3; job += 1) yield* jobs.send(job);
  const first = spawn(worker);
  for (let i = world.choose(6, 'when'); i > 0; i -= 1) yield* yieldNow();
  first.kill();
  yield* first.join();
  const second = spawn(worker);
  yield* sleep(1);
  second.kill();
  yield* second.join();
  if (done.length !== 3) throw new Error(`lost on kill: done are ${done.join(', ')}`);
}

/** Three events have to come in one order: the reader between two writes, and the second writer before it looks again. */
function* depthThree(): Op<void> {
  let configured = false;
  let opened = false;
  let closed = false;
  const ticks = new Channel<void>(Infinity);
  const tick = function* () {
    yield* ticks.send();
    yield* ticks.receive();
  };
  yield* scope(function* (s) {
    s.spawn(function* () {
      yield* tick();
      configured = true;
      yield* tick();
      yield* tick();
      configured = false;
    });
    s.spawn(function* () {
      yield* tick();
      if (!configured) return;
      opened = true;
      yield* tick();
      yield* tick();
      opened = false;
    });
    s.spawn(function* () {
      yield* tick();
      yield* tick();
      if (opened) closed = true;
      yield* tick();
      if (closed && opened && !configured) throw new Error('used after it was closed');
    });
  });
}

/** Takes the first piece for the whole message. Bytes come from the world in pieces, as from a socket. */
function* shortRead(world: World): Op<void> {
  const wire = new Channel<Uint8Array>(8);
  const message = new TextEncoder().encode('hello world');
  yield* scope(function* (s) {
    s.spawn(function* () {
      for (let at = 0; at < message.length; ) {
        const size = message.length - at - world.choose(message.length - at, 'segment', 0.2);
        yield* wire.send(message.subarray(at, at + size));
        at += size;
      }
      wire.close();
    });
    const { value } = yield* select({ piece: wire.receive() });
    const text = new TextDecoder().decode(value);
    if (text !== 'hello world') throw new Error(`short read: ${text}`);
  });
}

export const BUGS: readonly Bug[] = [
  { name: 'AB-BA deadlock', body: abBa, message: /would wait for itself/ },
  { name: 'lost update', body: lostUpdate, message: /lost update/ },
  { name: 'message lost on kill', body: lostOnKill, message: /lost on kill/ },
  { name: 'short read', body: shortRead, message: /short read/ },
  { name: 'depth-3 ordering', body: depthThree, message: /used after it was closed/ },
];
