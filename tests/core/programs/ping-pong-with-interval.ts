// ping-pong-with-interval.ts: a second of channel ping-pong beside an interval of 1 ms; prints how often that ticked. Run by interval.test.ts.
//
// The second is one of our own processor time: on a machine that is busy otherwise, a second on the clock says little.
import { Channel, type Op, run, spawn } from 'tendril';

const [ping, pong] = [new Channel<number>(), new Channel<number>()];
let ticks = 0;
let trips = 0;
const startMs = performance.now();
const interval = setInterval(() => {
  ticks += 1;
}, 1);

function* answering(): Op<void> {
  for (;;) yield* pong.send(yield* ping.receive());
}

await run(function* () {
  const partner = spawn(answering);
  const before = process.cpuUsage();
  const usedMs = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  while (usedMs() < 1000) {
    for (let i = 0; i < 16; i += 1) {
      yield* ping.send(trips);
      yield* pong.receive();
      trips += 1;
    }
  }
  partner.kill();
  yield* partner.join();
});
clearInterval(interval);
console.log(JSON.stringify({ ticks, trips, wallMs: Math.round(performance.now() - startMs) }));
