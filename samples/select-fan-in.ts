// select-fan-in.ts: one greenlet listens to several channels at once, with a heartbeat and a signal to stop.
//
// `select` waits for the first of several waits: exactly one of them happens, and the others have not. An arm can be any single wait: a receive, a
// sleep, an event. An arm that is null is switched off, which is how a source that has ended leaves the select.
//
// How to run: npx tsx samples/select-fan-in.ts

import { Channel, Event, main, now, type Op, select, sleep, sleepUntil, spawn } from 'tendril';

// Until a moment rather than for a while, so that the time a reading takes does not add up.
function* sensor(readings: Channel<number>, firstAtMs: number, values: readonly number[]): Op<void> {
  for (const [index, value] of values.entries()) {
    yield* sleepUntil(firstAtMs + index * 320);
    yield* readings.send(value);
  }
}

function* watch(inside: Channel<number>, outside: Channel<number>, evening: Event): Op<number> {
  let seen = 0;
  // Outside the loop, because a heartbeat comes at its time however busy the channels are.
  let beatAtMs = now() + 720;
  for (;;) {
    const { key, value } = yield* select(
      {
        inside: inside.receive(),
        // The outer sensor is of interest only once the inner one has said something.
        outside: seen > 0 ? outside.receive() : null,
        heartbeat: sleepUntil(beatAtMs),
        evening: evening.wait(),
      },
      // If several are ready, the first one listed goes first; without it the choice is random and fair.
      { priority: true },
    );
    switch (key) {
      case 'inside':
      case 'outside':
        seen += 1;
        console.log(`${key}: ${value} degrees`);
        break;
      case 'heartbeat':
        beatAtMs += 720;
        console.log(`still here, ${seen} readings so far`);
        break;
      case 'evening':
        return seen;
    }
  }
}

main(function* day(): Op<void> {
  const inside = new Channel<number>();
  const outside = new Channel<number>();
  const evening = new Event();
  const watcher = spawn(watch, inside, outside, evening);
  spawn(sensor, inside, now() + 160, [20, 21, 22]);
  spawn(sensor, outside, now() + 320, [7, 9]);
  yield* sleep(1040);
  evening.set();
  console.log(`in the evening: ${yield* watcher.get()} readings`);
});
