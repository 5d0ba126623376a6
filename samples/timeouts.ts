// timeouts.ts: a limit in time around anything, nested limits that cannot be confused, and a default in place of an error.
//
// `timeout(ms, op)` ends whatever is inside, however deep, and throws at its own boundary and nowhere else. So an outer limit is never caught by
// an inner `catch`, and nothing has to be handed down to the functions that wait.
//
// How to run: npx tsx samples/timeouts.ts

import { Channel, main, type Op, rethrowKilled, sleep, TimeoutError, timeout } from 'tendril';

function* slowly(what: string, ms: number): Op<string> {
  try {
    yield* sleep(ms);
    return what;
  } finally {
    // Runs at the end of the wait, at an error and at a timeout alike.
    console.log(`  ${what}: done with waiting`);
  }
}

// An attempt is limited, and so is all of it: three attempts of 100 ms do not fit into 250 ms.
function* withRetries(): Op<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return yield* timeout(100, slowly(`attempt ${attempt}`, 5_000));
    } catch (error) {
      rethrowKilled(error); // the outer limit passes through here as a kill, and it must
      console.log(`  attempt ${attempt}: ${(error as Error).message}`);
    }
  }
}

main(function* program(): Op<void> {
  console.log('in time');
  console.log(`  ${yield* timeout(1_000, slowly('tea', 5))}`);

  console.log('too late');
  try {
    yield* timeout(20, slowly('coffee', 5_000));
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log(`  ${error.code}: ${error.message}`);
  }

  console.log('a default in place of an error');
  const orders = new Channel<string>();
  console.log(`  ${yield* timeout(10, orders.receive(), { else: 'no order' })}`);

  console.log('a limit within a limit');
  const overall = timeout(250, withRetries());
  try {
    yield* overall;
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log(`  ${error.timeout === overall ? 'the outer one' : error}`);
  }
});
