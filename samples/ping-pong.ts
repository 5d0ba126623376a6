// ping-pong.ts: two greenlets pass a ball over two channels, and then a ball goes round a ring of a thousand.
//
// An unbuffered channel hands each value from sender to receiver: whoever comes first waits. A greenlet that waits costs some hundred bytes and no
// thread, so the ring is as natural as the pair.
//
// How to run: npx tsx samples/ping-pong.ts

import { Channel, main, type Op, spawn } from 'tendril';

function* player(name: string, hits: Channel<number>, answers: Channel<number>): Op<void> {
  for (;;) {
    const ball = yield* hits.receive();
    console.log(`${name} ${ball}`);
    if (ball === 0) return;
    yield* answers.send(ball - 1);
  }
}

function* pass(from: Channel<number>, to: Channel<number>): Op<void> {
  yield* to.send((yield* from.receive()) + 1);
}

function* roundTheRing(size: number): Op<number> {
  const start = new Channel<number>();
  let end = start;
  for (let i = 0; i < size; i += 1) {
    const next = new Channel<number>();
    spawn(pass, end, next);
    end = next;
  }
  yield* start.send(0);
  return yield* end.receive();
}

main(function* match(): Op<void> {
  const left = new Channel<number>();
  const right = new Channel<number>();
  const ping = spawn(player, 'ping', left, right);
  const pong = spawn(player, '     pong', right, left);
  yield* left.send(6);
  yield* ping.join();
  // Nobody will hit the ball back any more: pong waits for ever, so it is told to go. That is a kill like any other.
  pong.kill('the match is over');
  console.log(`passed by ${yield* roundTheRing(1_000)} greenlets`);
});
