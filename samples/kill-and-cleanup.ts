// kill-and-cleanup.ts: what a kill does, how a greenlet tidies up, and how a failure takes its siblings along.
//
// A kill is not an exception that can be lost: from then on each wait of that greenlet throws Killed until it has ended. `finally` always
// runs; what must still wait there, a farewell over the network say, goes into `shield`, for a limited time.
//
// How to run: npx tsx samples/kill-and-cleanup.ts

import { main, type Op, rethrowKilled, Semaphore, scope, shield, sleep, spawn } from 'tendril';

function* farewell(name: string): Op<void> {
  yield* sleep(10);
  console.log(`  ${name}: said goodbye`);
}

function* guest(name: string, seats: Semaphore): Op<void> {
  yield* seats.acquire();
  try {
    console.log(`  ${name}: seated`);
    for (;;) {
      try {
        yield* sleep(10_000);
        // eslint-disable-next-line tendril/no-swallowed-kill -- on purpose, to show what it leads to
      } catch {
        // Swallowing it does not help: the next wait throws it again. (Say rethrowKilled(error) here in real code.)
        console.log(`  ${name}: pays no attention`);
        yield* sleep(10_000);
      }
    }
  } finally {
    seats.release();
    yield* shield(1_000, farewell(name));
  }
}

function* failing(afterMs: number): Op<void> {
  yield* sleep(afterMs);
  throw new Error('the kitchen is on fire');
}

main(function* evening(): Op<void> {
  const seats = new Semaphore(1, { name: 'seats' });

  console.log('one guest sits, one waits, both are sent home');
  const guests = [spawn(guest, 'Ada', seats), spawn(guest, 'Ben', seats)];
  yield* sleep(5);
  for (const each of guests) each.kill('closing time');
  for (const each of guests) yield* each.join(); // ends when they have, cleanup included
  console.log(`  killed: ${guests.map((each) => each.killed)}, seats free again: ${seats.permits}`);

  console.log('a failure ends everything in its scope');
  try {
    yield* scope(function* dinner(s): Op<void> {
      s.spawn(guest, 'Cleo', seats);
      s.spawn(failing, 5);
    });
  } catch (error) {
    rethrowKilled(error);
    console.log(`  ${(error as Error).message}; seats free again: ${seats.permits}`);
  }
});
