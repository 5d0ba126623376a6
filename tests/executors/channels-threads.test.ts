// channels-threads.test.ts: channels between real threads: a worker that works, one that ends, is terminated or crashes, and a slow consumer.
import { Worker } from 'node:worker_threads';
import { all, forEach, once, run, select, sleep, spawn, timeout } from 'tendril';
import { type ChannelEnd, ChannelLostError, channelPair, channelPorts } from 'tendril/executors/channels';
import { leakCheck } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { thrownBy } from '../thrown-by.ts';

/** What a worker does with its end, by name. One module for all, so that it is written once. */
const program = moduleFile(`
  import { run, forEach, sleep } from 'tendril';
  import { openChannel } from 'tendril/executors/channels';
  import { workerData } from 'node:worker_threads';

  const jobs = openChannel(workerData.far);
  const deeds = {
    *echo() { yield* forEach(jobs, function* (job) { yield* jobs.send(job); }); },
    *relay() {
      const other = openChannel(workerData.other);
      yield* forEach(jobs, function* (job) { yield* other.send(job); });
      other.close();
    },
    *quit() { yield* jobs.send('last words'); process.exit(3); },
    *crash() { yield* jobs.send('last words'); setImmediate(() => { throw new Error('crash'); }); yield* sleep(1e6); },
    *end() { yield* jobs.send('last words'); },
    *spin() { yield* jobs.send('last words'); setImmediate(() => { for (;;) {} }); yield* jobs.receive(); },
    *slow() {
      for (let i = 0; i < 20; i += 1) { yield* jobs.receive(); yield* sleep(1); }
      jobs.close();
    },
  };
  await run(deeds[workerData.deed]);
`);

function work<S, R>(deed: string, capacity: number): { worker: Worker; jobs: ChannelEnd<S, R> } {
  const [jobs, far] = channelPair<S, R>({ capacity, name: 'jobs' });
  const worker = new Worker(program, { workerData: { deed, far }, transferList: [far.port] });
  worker.on('error', () => {});
  return { worker, jobs };
}

describe('A channel to a thread', () => {
  it('carries jobs there and answers back, until it is closed, and the thread ends by itself', () =>
    leakCheck(function* () {
      const { worker, jobs } = work<number, number>('echo', 4);
      const exited = spawn(() => once(worker, 'exit'));
      let sum = 0;
      yield* all([
        (function* () {
          for (let i = 0; i < 100; i += 1) yield* jobs.send(i);
        })(),
        (function* () {
          for (let i = 0; i < 100; i += 1) sum += yield* jobs.receive();
        })(),
      ]);
      jobs.close();
      expect([sum, (yield* exited.get())[0]]).toEqual([4950, 0]);
    }));

  it('is an arm of select beside a timer, and a timeout loses nothing', () =>
    run(function* () {
      const { worker, jobs } = work<string, string>('echo', 1);
      const nothing = yield* select({ answer: jobs.receive(), time: sleep(1) });
      yield* jobs.send('x');
      const answer = yield* select({ answer: jobs.receive(), time: sleep(5000) });
      const quiet = yield* timeout(1, jobs.receive(), { else: 'quiet' });
      expect([nothing.key, answer, quiet]).toEqual(['time', { key: 'answer', value: 'x' }, 'quiet']);
      jobs.close();
      yield* once(worker, 'exit');
    }));

  it.each(['quit', 'crash', 'end', 'spin'])('tells of the loss after what was sent, if the thread does: %s', (deed) =>
    run(function* () {
      const { worker, jobs } = work<string, string>(deed, 2);
      expect(yield* jobs.receive()).toBe('last words');
      const waiting = spawn(() => thrownBy(jobs.receive()));
      if (deed === 'spin') void worker.terminate();
      expect(yield* waiting.get()).toBeInstanceOf(ChannelLostError);
      expect(yield* thrownBy(jobs.send('x'))).toMatchObject({
        code: 'ERR_CHANNEL_LOST',
        message:
          'send on channel jobs: the other side is lost: its thread has ended, or its port was closed; what it had not sent will not come, open a new channel',
      });
    }),
  );

  it('joins two other threads, each with an end of its own', () =>
    run(function* () {
      const [left, right] = channelPorts<number>({ capacity: 2, name: 'between' });
      const [into, intoFar] = channelPair<number>({ capacity: 2 });
      const [out, outFar] = channelPair<number>({ capacity: 2 });
      const start = (far: typeof intoFar, other: typeof left): Worker =>
        new Worker(program, { workerData: { deed: 'relay', far, other }, transferList: [far.port, other.port] });
      start(intoFar, left);
      start(right as typeof intoFar, outFar as typeof left);
      yield* into.send(1);
      yield* into.send(2);
      into.close();
      const got: number[] = [];
      yield* forEach(out, function* (value) {
        got.push(value);
      });
      expect(got).toEqual([1, 2]);
    }));

  it('keeps the memory of a fast producer bounded, however slow the consumer is', () =>
    run(function* () {
      const { jobs } = work<Uint8Array, never>('slow', 4);
      let sent = 0;
      const rssBefore = process.memoryUsage().rss;
      // A second of megabytes, if nothing held it back; 20 are taken and 4 have room.
      const error = yield* thrownBy(
        (function* () {
          for (;;) {
            yield* jobs.send(new Uint8Array(1024 * 1024));
            sent += 1;
          }
        })(),
      );
      expect(error).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
      expect(sent).toBeLessThanOrEqual(24);
      expect(process.memoryUsage().rss - rssBefore).toBeLessThan(150 * 1024 * 1024);
    }));
});
