// channels-across.test.ts: channels across under load: 300,000 messages to a thread beside bare postMessage, the processes' connection and a socket, and
// kills, timeouts and selects at random, of which none loses or doubles a value.
import { fork } from 'node:child_process';
import { MessageChannel, Worker } from 'node:worker_threads';
import { type Op, once, run, scope, select, sleep, spawn, timeout, yieldNow } from 'tendril';
import { type ChannelEnd, channelPair, processChannel } from 'tendril/executors/channels';
import { describe, expect, it } from 'vitest';
import { grounds } from '../executors/channel-grounds.ts';
import { moduleFile } from '../program-file.ts';

/** Counts what comes, and tells how many at the end. */
const counting = moduleFile(`
  import { run } from 'tendril';
  import { openChannel, processChannel } from 'tendril/executors/channels';
  import { workerData } from 'node:worker_threads';
  const values = workerData?.far === undefined ? undefined : openChannel(workerData.far);
  if (workerData?.port !== undefined) {
    let count = 0;
    workerData.port.on('message', (value) => {
      if (value === -1) workerData.port.postMessage(count);
      else count += 1;
    });
    workerData.port.postMessage('ready');
  } else {
    await run(function* () {
      const from = values ?? processChannel(process, 'values', { capacity: Number(process.argv[2]) });
      yield* from.send('ready');
      let count = 0;
      for (let step = yield* from.next(); !step.done; step = yield* from.next()) {
        if (step.value === -1) yield* from.send(count);
        else count += 1;
      }
    });
  }
`);

type Message = number | { readonly id: number; readonly name: string };
const kinds: readonly (readonly [string, (i: number) => Message])[] = [
  ['numbers', (i) => i],
  ['objects', (i) => ({ id: i, name: 'a job' })],
];

/** Send `count` values, and say how many thousand a second came. */
function* measured(end: ChannelEnd<Message, unknown>, count: number, make: (i: number) => Message): Op<number> {
  expect(yield* end.receive()).toBe('ready');
  const startMs = performance.now();
  for (let i = 0; i < count; i += 1) yield* end.send(make(i));
  yield* end.send(-1);
  expect(yield* end.receive()).toBe(count);
  const tookMs = performance.now() - startMs;
  end.close();
  return Math.round(count / tookMs);
}

function* bare(count: number, make: (i: number) => Message): Op<number> {
  const { port1, port2 } = new MessageChannel();
  new Worker(counting, { workerData: { port: port2 }, transferList: [port2] });
  yield* once(port1, 'message');
  const startMs = performance.now();
  for (let i = 0; i < count; i += 1) port1.postMessage(make(i));
  port1.postMessage(-1);
  expect(yield* once(port1, 'message')).toEqual([count]);
  const tookMs = performance.now() - startMs;
  port1.close();
  return Math.round(count / tookMs);
}

describe('Throughput', () => {
  it.each(kinds)('300,000 %s to a thread', (kind, make) =>
    run(function* () {
      for (const capacity of [16, 1024]) {
        const [end, far] = channelPair<Message, unknown>({ capacity });
        new Worker(counting, { workerData: { far }, transferList: [far.port] });
        console.log(`channel of ${capacity} to a thread, ${kind}: ${yield* measured(end, 300_000, make)} k/s`);
      }
      console.log(`bare postMessage, ${kind}: ${yield* bare(300_000, make)} k/s`);
    }),
  );

  it.each(kinds)('50,000 %s to a process', (kind, make) =>
    run(function* () {
      for (const capacity of [16, 1024]) {
        const child = fork(counting, [String(capacity)], { serialization: 'advanced', execArgv: [] });
        const end = processChannel<Message, unknown>(child, 'values', { capacity });
        console.log(`channel of ${capacity} to a process, ${kind}: ${yield* measured(end, 50_000, make)} k/s`);
        yield* once(child, 'exit');
      }
    }),
  );
});

describe.each(grounds)('Kills, timeouts and selects at random, over $name', (ground) => {
  it.each([0, 1, 5])('lose nothing, double nothing and keep the order, with capacity %i', async (capacity) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      await run(function* () {
        const { near, far } = yield* ground.open<readonly [sender: number, n: number]>(capacity);
        const sent: number[][] = [];
        const got: number[][] = [[], [], []];
        const receivers = seed % 2 === 0 ? 3 : 1;
        let sending = 3;
        yield* scope(function* (s) {
          for (let sender = 0; sender < 3; sender += 1) {
            const mine: number[] = [];
            sent.push(mine);
            s.spawn(function* () {
              for (let n = 0; n < 300; n += 1) {
                const how = random();
                let committed: boolean;
                if (how < 0.2) {
                  committed = (yield* timeout(random() * 2, near.send([sender, n]), { else: 'late' })) !== 'late';
                } else if (how < 0.4) {
                  const { key } = yield* select({ sent: near.send([sender, n]), time: sleep(random() * 2) });
                  committed = key === 'sent';
                } else if (how < 0.5) {
                  const victim = spawn(() => near.send([sender, n]));
                  if (random() < 0.7) yield* yieldNow();
                  victim.kill();
                  yield* victim.join();
                  committed = victim.outcome?.ok === true;
                } else {
                  yield* near.send([sender, n]);
                  committed = true;
                }
                if (committed) mine.push(n);
              }
              sending -= 1;
              if (sending === 0) near.close();
            });
          }
          for (let receiver = 0; receiver < receivers; receiver += 1) {
            s.spawn(function* () {
              for (;;) {
                const how = random();
                if (how < 0.3) {
                  const victim = spawn(() => far.next());
                  if (random() < 0.7) yield* sleep(random() * 2);
                  victim.kill();
                  yield* victim.join();
                  if (victim.outcome?.ok !== true) continue;
                  const { done, value } = victim.outcome.value;
                  if (done === true) return;
                  got[value[0]]?.push(value[1]);
                } else {
                  const step = yield* timeout(random() * 2, far.next(), { else: undefined });
                  if (step?.done === true) return;
                  if (step !== undefined) got[step.value[0]]?.push(step.value[1]);
                }
              }
            });
          }
        });
        near.check();
        far.check();
        // Several receivers may write down their values in another order than they came.
        if (receivers > 1) for (const values of got) values.sort((a, b) => a - b);
        expect({ seed, got }).toEqual({ seed, got: sent });
        expect(sent.every((values) => values.length > 100)).toBe(true);
      });
    }
  });
});
