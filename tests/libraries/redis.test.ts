// redis.test.ts: redis (node-redis) in greenlets.
//
// One connection, as with ioredis: a kill leaves a command that was sent, and its answer is taken and dropped. `withAbortSignal` takes one back that was not yet sent.
import { createClient } from 'redis';
import { type Op, signal, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { inSequence, type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';

const server = await probe('redis');
const key = `tendril:redis:${process.pid}`;
const newClient = () => createClient({ socket: { host: server?.host ?? '', port: server?.port ?? 0 } });

class NodeRedis implements Subject {
  readonly client = newClient();
  readonly keeper = newClient();
  id = 0;

  *open(): Op<this> {
    yield* this.client.connect();
    yield* this.keeper.connect();
    this.id = yield* this.client.clientId();
    return this;
  }

  *one(n: number): Op<number> {
    yield* this.client.set(`${key}:${n}`, n, { expiration: { type: 'EX', value: 60 } });
    return Number(yield* this.client.getDel(`${key}:${n}`));
  }

  *held(): Op<unknown> {
    return yield* this.client.blPop(key, 0);
  }

  *holding(): Op<number> {
    const list = String(yield* this.keeper.sendCommand(['CLIENT', 'LIST', 'ID', String(this.id)]));
    return / flags=\w*b/.test(list) ? 1 : 0;
  }

  *release(): Op<unknown> {
    return yield* this.keeper.rPush(key, 'late');
  }

  *close(): Op<void> {
    yield* this.keeper.del(key);
    yield* this.keeper.close();
    yield* this.client.close();
  }
}

const library = { open: () => new NodeRedis().open(), inFlight: 'goes on', meanwhile: 'queued' } as const;

libraryTests('redis', library satisfies Library, server === undefined, () => {
  it('does not send a command whose greenlet was killed before, if it is given the signal', async () => {
    const seen = await using(library, function* (subject) {
      const { client, keeper } = subject as NodeRedis;
      const setting = spawn(function* () {
        yield* client.withAbortSignal(signal()).set(key, 'should not be', { expiration: { type: 'EX', value: 60 } });
      });
      // Both run in this turn; the client writes when it is over.
      const killer = spawn(function* () {
        setting.kill();
        yield* setting.join();
      });
      yield* killer.join();
      yield* noOrphans();
      return { value: yield* keeper.get(key), killed: setting.killed, answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ value: null, killed: true, answers: [1, 2, 3] });
  });

  it('can end the blocking command of a killed greenlet, which then takes nothing', async () => {
    const seen = await using(library, function* (subject) {
      const { keeper, id } = subject as NodeRedis;
      const popping = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      popping.kill();
      yield* keeper.sendCommand(['CLIENT', 'UNBLOCK', String(id)]);
      yield* noOrphans();
      yield* subject.release();
      return { left: yield* keeper.lRange(key, 0, -1), answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ left: ['late'], answers: [1, 2, 3] });
  });
});
