// workers.ts: what greenlets do with a Redis client while the world falls apart, and what has to be true of each reply.
import { now, type Op, sleep, spawn, timeout } from 'tendril';
import { RedisError } from '../../samples/redis.ts';
import type { Torment } from './torment.ts';

export interface Worker {
  readonly name: string;
  work(t: Torment): Op<void>;
  /** Run once everything is well again. */
  settle?(t: Torment): Op<void>;
}

const ROUNDS = 4;

function* pause({ world }: Torment): Op<void> {
  if (world.chance(0.5, 'pause')) yield* sleep(world.pick([1, 10, 50, 250]));
}

/** The message of the error reply to `op`. */
function* refusal(op: Op<unknown>): Op<string> {
  try {
    return `no error but ${JSON.stringify(yield* op)}`;
  } catch (error) {
    if (error instanceof RedisError) return error.message;
    throw error;
  }
}

const strings: Worker = {
  name: 'strings',
  *work(t) {
    const { world, ledger } = t;
    for (let round = 0; round < ROUNDS; round += 1) {
      const key = world.pick(['a', 'b']);
      const token = ledger.token(key);
      const start = ledger.now;
      switch (world.choose(6, 'command')) {
        case 0: {
          const outcome = yield* t.ask(t.redis.get(key));
          if (outcome.ending === 'done') ledger.found(key, outcome.value, start);
          break;
        }
        case 1: {
          const outcome = yield* t.ask(t.redis.set(key, token));
          if (outcome.ending === 'done') ledger.same(outcome.value, 'OK', 'SET is answered');
          ledger.wrote(token, start, outcome.ending);
          break;
        }
        case 2: {
          const outcome = yield* t.ask(t.redis.mget('a', 'b'));
          if (outcome.ending !== 'done') break;
          ledger.same(outcome.value.length, 2, 'MGET is answered');
          for (const [i, each] of ['a', 'b'].entries()) ledger.found(each, outcome.value[i] ?? null, start);
          break;
        }
        case 3: {
          const outcome = yield* t.ask(t.redis.command('ECHO', token));
          if (outcome.ending === 'done') ledger.same(outcome.value, token, 'the reply belongs to its command');
          break;
        }
        case 4: {
          const written = yield* t.ask(t.redis.hset('h', token, token));
          ledger.wrote(token, start, written.ending);
          const outcome = yield* t.ask(t.redis.hgetall('h'));
          if (outcome.ending !== 'done') break;
          for (const [field, value] of Object.entries(outcome.value))
            ledger.same(value, field, 'the reply belongs to its command');
          break;
        }
        default: {
          const outcome = yield* t.ask(refusal(t.redis.command(`NO${token}`)));
          const expected = `ERR unknown command 'NO${token.toUpperCase()}'`;
          if (outcome.ending === 'done') ledger.same(outcome.value, expected, 'the error belongs to its command');
        }
      }
      yield* pause(t);
    }
  },
};

const counter: Worker = {
  name: 'counter',
  *work(t) {
    const { ledger } = t;
    for (let round = 0; round < ROUNDS; round += 1) {
      const start = ledger.now;
      const outcome = yield* t.ask(t.redis.incr('n'));
      ledger.incremented('n', start, outcome.ending, outcome.ending === 'done' ? outcome.value : undefined);
      yield* pause(t);
    }
  },
};

const transactions: Worker = {
  name: 'transactions',
  *work(t) {
    const { world, ledger } = t;
    for (let round = 0; round < ROUNDS; round += 1) {
      const start = ledger.now;
      if (world.chance(0.4, 'read')) {
        const outcome = yield* t.ask(t.redis.mget('x', 'y'));
        if (outcome.ending !== 'done') continue;
        const [x, y] = outcome.value;
        ledger.found('x', x ?? null, start);
        ledger.same(y, x, 'a transaction is seen as a whole');
      } else {
        const token = ledger.token('x');
        const outcome = yield* t.ask(t.redis.multi().set('x', token).set('y', token).incr('m').get('x').exec());
        ledger.wrote(token, start, outcome.ending);
        const results = outcome.ending === 'done' ? outcome.value : undefined;
        if (results !== undefined)
          ledger.same(results, ['OK', 'OK', results?.[2], token], 'the results are those of the transaction');
        ledger.incremented('m', start, outcome.ending, results?.[2]);
      }
      yield* pause(t);
    }
  },
};

/** A counter that is read and written by one that watches it. */
const optimist: Worker = {
  name: 'optimist',
  *work(t) {
    const { world, ledger } = t;
    for (let round = 0; round < 2; round += 1) {
      const isolated = t.redis.isolated(function* watching(own): Op<void> {
        const watched = yield* t.attempt(own.command('WATCH', 'w'));
        if (watched.ending === 'done') ledger.same(watched.value, 'OK', 'WATCH is answered');
        const start = ledger.now;
        const read = yield* t.attempt(own.get('w'));
        if (read.ending === 'done') ledger.found('w', read.value, start);
        const token = ledger.token('own');
        const echoed = yield* t.attempt(own.command('ECHO', token));
        if (echoed.ending === 'done') ledger.same(echoed.value, token, 'the reply belongs to its command');
        if (watched.ending !== 'done' || read.ending !== 'done') return;
        const next = `w#${Number((read.value ?? 'w#0').slice(2)) + 1}`;
        ledger.same(yield* own.command('MULTI'), 'OK', 'MULTI is answered');
        ledger.same(yield* own.set('w', next), 'QUEUED', 'a command of a transaction is answered');
        const result = yield* own.command('EXEC');
        if (result !== null) ledger.same(result, ['OK'], 'EXEC is answered');
      });
      if (world.chance(0.3, 'patience')) yield* t.attempt(isolated);
      else yield* t.outcomeOf(isolated);
      yield* pause(t);
    }
  },
};

const jobs: Worker = {
  name: 'jobs',
  *work(t) {
    const { world, ledger } = t;
    for (let round = 0; round < ROUNDS; round += 1) {
      if (world.chance(0.5, 'pop')) {
        yield* pop(t, world.pick([0.05, 0.3, 0]));
      } else {
        const token = ledger.token('jobs');
        const start = ledger.now;
        const { ending } = yield* t.ask(t.redis.rpush('jobs', token));
        ledger.wrote(token, start, ending);
      }
      yield* pause(t);
    }
  },
};

function* pop(t: Torment, seconds: number): Op<void> {
  const { ledger } = t;
  const startMs = now();
  t.hungry += 1;
  const outcome = yield* t.attempt(t.redis.blpop('jobs', seconds));
  t.hungry -= 1;
  if (outcome.ending === 'doubt') ledger.poppedInDoubt();
  if (outcome.ending !== 'done') return;
  if (outcome.value === null) {
    ledger.must(seconds > 0 && now() - startMs >= seconds * 1000, 'nothing comes of a pop only when its time is up');
  } else {
    ledger.same(outcome.value[0], 'jobs', 'the element is of the list that was asked for');
    ledger.popped('jobs', outcome.value[1]);
  }
}

const publisher: Worker = {
  name: 'publisher',
  *work(t) {
    const { world, ledger } = t;
    for (let round = 0; round < ROUNDS; round += 1) {
      const channel = world.pick(['news', 'weather']);
      const token = ledger.token(channel);
      const start = ledger.now;
      const outcome = yield* t.ask(t.redis.publish(channel, token));
      ledger.wrote(token, start, outcome.ending);
      yield* pause(t);
    }
  },
};

/** Subscribe, read a while, and end it. False if the client is closed. */
function* read(t: Torment): Op<boolean> {
  const { world, ledger } = t;
  const topics = world.pick([['news'], ['news', 'weather'], ['n*'], ['*']]);
  const byPattern = topics[0]?.includes('*') === true;
  const outcome = yield* t.attempt(byPattern ? t.redis.psubscribe(...topics) : t.redis.subscribe(...topics));
  if (outcome.ending !== 'done') return true;
  const subscription = outcome.value;
  const isWanted = (channel: string): boolean =>
    byPattern ? channel.startsWith((topics[0] as string).slice(0, -1)) : topics.includes(channel);
  const start = ledger.now;
  let last = -1;
  for (let round = world.choose(ROUNDS, 'messages'); round > 0; round -= 1) {
    const received = yield* timeout(world.pick([1, 5, 50, 200, 1000]), subscription.next(), { else: undefined });
    if (received === undefined) continue;
    if (received.done === true) return false;
    const { channel, message, pattern } = received.value;
    ledger.must(message.startsWith(`${channel}#`), `the message is of its channel: ${message} of ${channel}`);
    ledger.must(isWanted(channel), `the channel was asked for: ${channel} of ${topics.join()}`);
    ledger.same(pattern, byPattern ? topics[0] : undefined, 'the pattern is told');
    const published = t.server.journal.with(message)[0]?.index ?? -1;
    ledger.must(published >= 0, `the message was published: ${message}`);
    ledger.must(published > last, `messages keep their order: ${message}`);
    if (t.lossless) {
      const between = t.server.journal.entries.slice(Math.max(last + 1, start), Math.max(published, 0));
      const missed = between.filter(({ name, args }) => name === 'PUBLISH' && isWanted(args[0] as string));
      ledger.same(missed, [], 'no message is lost');
    }
    last = published;
  }
  const end = world.choose(3, 'end');
  if (end === 0) t.subscriptions.push(subscription);
  else if (end === 1) subscription.close();
  else yield* t.attempt(subscription.unsubscribe());
  return true;
}

const reader: Worker = {
  name: 'reader',
  *work(t) {
    for (let round = 0; round < 3; round += 1) {
      if (!(yield* read(t))) return;
      yield* pause(t);
    }
  },
  /** Subscriptions that are open receive again. */
  *settle(t) {
    const { ledger } = t;
    for (const subscription of t.subscriptions.splice(0)) {
      const marker = ledger.token('news');
      for (let seen = subscription.closed; !seen; ) {
        yield* t.insist(() => t.redis.publish('news', marker));
        for (;;) {
          const received = yield* timeout(20, subscription.next(), { else: undefined });
          if (received === undefined) break;
          seen ||= received.done === true || received.value.message === marker;
          if (received.done === true) break;
        }
      }
      subscription.close();
    }
  },
};

/** A client of its own that goes from one database to another. */
const mover: Worker = {
  name: 'mover',
  *work(t) {
    const { world, ledger } = t;
    const redis = yield* t.connect();
    function* popFrom(db: number | undefined): Op<void> {
      const outcome = yield* t.attempt(redis.blpop('list', 0.05));
      if (outcome.ending === 'doubt') ledger.poppedInDoubt();
      if (outcome.ending !== 'done' || outcome.value === null) return;
      const [, element] = outcome.value;
      ledger.popped(db === undefined ? (element.split('#')[0] as string) : `list${db}`, element);
    }
    try {
      let db: number | undefined = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const about = `list${db ?? ''}`;
        switch (world.choose(4, 'command')) {
          case 0: {
            const wanted = world.pick([0, 1]);
            const { ending } = yield* t.ask(redis.select(wanted));
            db = ending === 'done' ? wanted : undefined;
            break;
          }
          case 1: {
            if (db === undefined) break;
            const token = ledger.token(about);
            const start = ledger.now;
            const { ending } = yield* t.ask(redis.rpush('list', token));
            ledger.wrote(token, start, ending);
            break;
          }
          case 2:
            yield* popFrom(db);
            break;
          default: {
            // One that was there before the change.
            const earlier = spawn(popFrom, undefined);
            yield* sleep(world.choose(10, 'moment'));
            const wanted = world.pick([0, 1]);
            const { ending } = yield* t.ask(redis.select(wanted));
            db = ending === 'done' ? wanted : undefined;
            yield* earlier.get();
          }
        }
        yield* pause(t);
      }
    } finally {
      redis.close();
    }
  },
};

export const WORKERS: readonly Worker[] = [strings, counter, transactions, optimist, jobs, publisher, reader, mover];
