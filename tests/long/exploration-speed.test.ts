// exploration-speed.test.ts: how many schedules a second of processor time (others may be at work here): a model of 65 steps is to reach 5,000.
import { Channel, Mutex, type Op, scope, sleep } from 'tendril';
import { explore, simulate } from 'tendril/testing';
import { expect, it } from 'vitest';

/** Three producers, a consumer and a lock: 65 steps when nobody is preempted. */
function* model(): Op<void> {
  const channel = new Channel<number>(2);
  const lock = new Mutex();
  let sum = 0;
  yield* scope(function* (s) {
    for (let producer = 0; producer < 3; producer += 1) {
      s.spawn(function* () {
        for (let i = 0; i < 8; i += 1) {
          yield* channel.send(i);
          yield* lock.use(sleep(1));
        }
      });
    }
    for (let i = 0; i < 24; i += 1) sum += yield* channel.receive();
  });
  if (sum !== 84) throw new Error(`a message was lost: ${sum}`);
}

it('explores at least 5,000 schedules a second of a model with 65 steps', async () => {
  const { trace } = await simulate(model, { trace: true });
  expect(trace.steps.length).toBeGreaterThanOrEqual(65);
  await explore(model, { seeds: 2000 });
  const rates: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const before = process.cpuUsage();
    await explore(model, { seeds: 4000, seed: 2 + round });
    const { user, system } = process.cpuUsage(before);
    rates.push((4000 / (user + system)) * 1e6);
  }
  rates.sort((a, b) => a - b);
  console.log(
    `${trace.steps.length} steps: ${rates.map((rate) => Math.round(rate)).join(', ')} schedules a second of processor time`,
  );
  expect(rates[2]).toBeGreaterThan(5000);
});
