// ioredis.test.ts: ioredis in greenlets.
//
// One connection, whose answers come in the order of the questions. A kill leaves the command: its answer is taken when it comes, and dropped, so that the next one
// gets its own. A blocking command (BLPOP) that was left still takes its element: CLIENT UNBLOCK ends it in the server.
import { Redis } from 'ioredis';
import { isKilled, type Op, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { inSequence, type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';

const server = await probe('redis');
const key = `tendril:ioredis:${process.pid}`;

class IoRedis implements Subject {
  readonly client = new Redis({ ...server, lazyConnect: true });
  readonly keeper = new Redis({ ...server, lazyConnect: true });
  id = 0;

  *open(): Op<this> {
    yield* this.client.connect();
    yield* this.keeper.connect();
    this.id = yield* this.client.client('ID');
    return this;
  }

  *one(n: number): Op<number> {
    yield* this.client.set(`${key}:${n}`, n, 'EX', 60);
    const value = yield* this.client.get(`${key}:${n}`);
    yield* this.client.del(`${key}:${n}`);
    return Number(value);
  }

  *held(): Op<unknown> {
    return yield* this.client.blpop(key, 0);
  }

  *holding(): Op<number> {
    const list = (yield* this.keeper.client('LIST', 'ID', this.id)) as string;
    return / flags=\w*b/.test(list) ? 1 : 0;
  }

  *release(): Op<unknown> {
    return yield* this.keeper.rpush(key, 'late');
  }

  *close(): Op<void> {
    yield* this.keeper.del(key);
    yield* this.keeper.quit();
    yield* this.client.quit();
  }
}

const library = { open: () => new IoRedis().open(), inFlight: 'goes on', meanwhile: 'queued' } as const;

libraryTests('ioredis', library satisfies Library, server === undefined, () => {
  it('can end the blocking command of a killed greenlet, which then takes nothing', async () => {
    const seen = await using(library, function* (subject) {
      const { keeper, id } = subject as IoRedis;
      const popping = spawn(function* () {
        try {
          yield* subject.held();
        } catch (error) {
          if (isKilled(error)) keeper.client('UNBLOCK', id);
          throw error;
        }
      });
      yield* untilHolding(subject, 1);
      popping.kill();
      yield* popping.join();
      yield* untilHolding(subject, 0);
      yield* noOrphans();
      yield* subject.release();
      return { left: yield* keeper.lrange(key, 0, -1), answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ left: ['late'], answers: [1, 2, 3] });
  });

  it('runs a transaction', async () => {
    const seen = await using(library, function* (subject) {
      const { client } = subject as IoRedis;
      return yield* client.multi().set(key, 1).incr(key).del(key).exec();
    });
    expect(seen).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, 1],
    ]);
  });
});
