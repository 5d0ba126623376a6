// subject.ts: what every library must do in greenlets, and the tests of it: in sequence, a hundred at once, killed and timed out in flight, usable afterwards.
//
// A library is opened for each test. Its server can be made to hold a request back: that is what "in flight" is here, so nothing depends on how fast anything
// is. Each answer names its question: an answer that came to the wrong greenlet, or one place too late, is seen.
import { all, hub, isKilled, type Op, run, sleep, spawn, TimeoutError, timeout } from 'tendril';
import { patchAll } from 'tendril/patches';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectNothingLeft } from '../samples/settled.ts';

/** A client of a library, open, and its server's handle. */
export interface Subject {
  /** A request that brings back its number. */
  one(n: number): Op<number>;
  /** A request that the server answers when it is released. */
  held(): Op<unknown>;
  /** How many requests the server holds back. */
  holding(): Op<number>;
  /** Answer what is held. */
  release(): Op<unknown>;
  close(): Op<unknown>;
}

export interface Library {
  open(): Op<Subject>;
  /** What a kill or a timeout does to a request: it goes on in the server and its answer is dropped, or the server is told. */
  readonly inFlight: 'goes on' | 'is cancelled';
  /** What becomes of other requests on the same client while one is held. */
  readonly meanwhile: 'answered' | 'queued';
  /** Promises that nobody waits for any more, while a request that was left is held: one, unless what was waited for is an event. */
  readonly orphans?: number;
}

export function* eventually(condition: () => Op<boolean>): Op<void> {
  while (!(yield* condition())) yield* sleep(2);
}

/** Wait until the server holds `count` requests back. */
export function* untilHolding(subject: Subject, count: number): Op<void> {
  yield* eventually(function* (): Op<boolean> {
    return (yield* subject.holding()) === count;
  });
}

/** Wait until every promise that nobody waits for any more has settled. */
export function* noOrphans(): Op<void> {
  yield* eventually(function* (): Op<boolean> {
    return hub.stats().orphans === 0;
  });
}

/** `one` to three, one after another. */
export function* inSequence(subject: Subject): Op<number[]> {
  const answers: number[] = [];
  for (const n of [1, 2, 3]) answers.push(yield* subject.one(n));
  return answers;
}

/** What must hold after the request in flight was left: the server's side of it, and the same client goes on in step. */
function* afterwards(library: Library, subject: Subject): Op<unknown> {
  const meanwhile: number[] = [];
  if (library.inFlight === 'goes on') {
    yield* untilHolding(subject, 1);
    const orphans = hub.stats().orphans;
    if (library.meanwhile === 'answered') meanwhile.push(...(yield* inSequence(subject)));
    const stillHeld = (yield* subject.holding()) === 1;
    yield* subject.release();
    yield* noOrphans();
    return { orphans, stillHeld, meanwhile, after: yield* inSequence(subject) };
  }
  yield* untilHolding(subject, 0);
  yield* noOrphans();
  return { after: yield* inSequence(subject) };
}

function expected({ inFlight, meanwhile, orphans = 1 }: Library): unknown {
  const numbers = [1, 2, 3];
  if (inFlight === 'is cancelled') return { after: numbers };
  return { orphans, stillHeld: true, meanwhile: meanwhile === 'answered' ? numbers : [], after: numbers };
}

/** Run `body` with an open subject, in a greenlet, and close it. */
export async function using<T>(library: Library, body: (subject: Subject) => Op<T>): Promise<T> {
  return run(function* () {
    const subject = yield* library.open();
    try {
      return yield* body(subject);
    } finally {
      yield* subject.close();
    }
  });
}

/** What `yield* promise` needs; or, with TENDRIL_PATCHES=all, everything. */
const patch = (): { undo(): void } =>
  patchAll({
    only:
      process.env.TENDRIL_PATCHES === 'all'
        ? ['promise', 'events', 'timers', 'net', 'dns', 'fs', 'childProcess', 'fetch']
        : ['promise'],
  });

/** Patch for each test of the file, and require afterwards that nothing is left. */
export function patched(): void {
  let patches: { undo(): void } | undefined;
  beforeEach(() => {
    patches = patch();
  });
  afterEach(async () => {
    patches?.undo();
    await expectNothingLeft();
    expect(hub.stats().orphans).toBe(0);
  });
}

/** The tests that every library must pass. `more` are its own. */
export function libraryTests(name: string, library: Library, skip: boolean, more?: () => void): void {
  describe.skipIf(skip)(name, () => {
    patched();

    it('answers requests in sequence', async () => {
      const answers = await using(library, inSequence);
      expect(answers).toEqual([1, 2, 3]);
    });

    it('answers a hundred greenlets at once, each its own', async () => {
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      const answers = await using(library, (subject) => all(numbers.map((n) => subject.one(n))));
      expect(answers).toEqual(numbers);
    });

    it('answers the greenlets that were left when every other of a hundred was killed', async () => {
      const answers = await using(library, function* (subject) {
        const greenlets = Array.from({ length: 100 }, (_, n) => spawn(() => subject.one(n)));
        // All have asked: what was spawned before a sleep runs before its end.
        yield* sleep(0);
        for (const [n, greenlet] of greenlets.entries()) if (n % 2 === 1) greenlet.kill();
        const even = greenlets.filter((_, n) => n % 2 === 0);
        const got: number[] = [];
        for (const greenlet of even) got.push(yield* greenlet.get());
        for (const greenlet of greenlets) yield* greenlet.join();
        yield* noOrphans();
        return [got, yield* inSequence(subject)];
      });
      expect(answers).toEqual([Array.from({ length: 50 }, (_, i) => 2 * i), [1, 2, 3]]);
    });

    it('is in step after a kill in flight', async () => {
      const seen = await using(library, function* (subject) {
        let thrown: unknown;
        const asking = spawn(function* () {
          try {
            yield* subject.held();
          } catch (error) {
            thrown = error;
            throw error;
          }
        });
        yield* untilHolding(subject, 1);
        asking.kill('changed my mind');
        yield* asking.join();
        return { killed: isKilled(thrown), after: yield* afterwards(library, subject) };
      });
      expect(seen).toEqual({ killed: true, after: expected(library) });
    });

    it('is in step after a timeout in flight', async () => {
      const seen = await using(library, function* (subject) {
        let thrown: unknown;
        try {
          yield* timeout(300, subject.held());
        } catch (error) {
          thrown = error;
        }
        return { timedOut: thrown instanceof TimeoutError, after: yield* afterwards(library, subject) };
      });
      expect(seen).toEqual({ timedOut: true, after: expected(library) });
    });

    more?.();
  });
}
