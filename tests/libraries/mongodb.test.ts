// mongodb.test.ts: the driver of MongoDB in greenlets, against a stub of its server (mongo-server.ts).
//
// A kill leaves the command: its answer is dropped, and the connection goes back to the pool. A find that was given `signal()` is cancelled: its connection is closed.
// A cursor that forEach reads is closed in the server when the loop is left.
import { type Collection, MongoClient } from 'mongodb';
import { forEach, type Op, signal, sleep, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { MongoServer } from './mongo-server.ts';
import { inSequence, type Library, libraryTests, type Subject, untilHolding, using } from './subject.ts';

interface Item {
  readonly n: number;
}

class Mongo implements Subject {
  readonly server: MongoServer;
  readonly client: MongoClient;
  readonly items: Collection<Item>;
  readonly #withSignal: boolean;
  constructor(server: MongoServer, withSignal: boolean) {
    this.server = server;
    this.client = new MongoClient(`mongodb://${server.address}/?directConnection=true&maxPoolSize=10`);
    this.items = this.client.db('test').collection('items');
    this.#withSignal = withSignal;
  }

  *open(): Op<this> {
    yield* this.client.connect();
    yield* this.items.insertMany(Array.from({ length: 100 }, (_, n) => ({ n })));
    return this;
  }

  *one(n: number): Op<number> {
    return (yield* this.items.findOne({ n }))?.n as number;
  }

  *held(): Op<unknown> {
    const options = { comment: 'hold', ...(this.#withSignal && { signal: signal() }) };
    return yield* this.items.find({ n: 0 }, options).toArray();
  }

  *holding(): Op<number> {
    return this.server.holding;
  }

  *release(): Op<void> {
    this.server.release();
  }

  *close(): Op<void> {
    yield* this.client.close();
    yield* this.server.close();
  }
}

function libraryOf(withSignal: boolean): Library {
  return {
    *open(): Op<Subject> {
      return yield* new Mongo(yield* MongoServer.open(), withSignal).open();
    },
    inFlight: withSignal ? 'is cancelled' : 'goes on',
    meanwhile: 'answered',
  };
}

libraryTests('mongodb without a signal', libraryOf(false), false, () => {
  it('closes the cursor of a greenlet that is killed in forEach', async () => {
    const seen = await using(libraryOf(false), function* (subject) {
      const { items, server } = subject as Mongo;
      const read: number[] = [];
      const reading = spawn(() =>
        forEach(items.find({}, { batchSize: 2 }), function* ({ n }) {
          read.push(n);
          if (n === 4) yield* sleep(60_000);
        }),
      );
      while (read.length < 5) yield* sleep(1);
      const before = server.openCursors;
      reading.kill();
      yield* reading.join();
      const killed = server.commands.includes('killCursors');
      return { read, before, killed, after: server.openCursors, answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ read: [0, 1, 2, 3, 4], before: 1, killed: true, after: 0, answers: [1, 2, 3] });
  });
});

libraryTests('mongodb with signal()', libraryOf(true), false, () => {
  it('tells the server of a kill in flight by closing the connection', async () => {
    const seen = await using(libraryOf(true), function* (subject) {
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      const closed: number[] = [];
      (subject as Mongo).client.on('connectionClosed', ({ connectionId }) => closed.push(Number(connectionId)));
      asking.kill();
      yield* untilHolding(subject, 0);
      return { closed: closed.length, answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ closed: 1, answers: [1, 2, 3] });
  });
});
