// nats.test.ts: nats in greenlets.
//
// A kill leaves the request: its reply, which has a subject of its own, is dropped when it comes. `request` has a timeout too, after which the client forgets it.
// A subscription is an async iterable, which forEach reads. It learns only with its next message that nobody reads any more: `signal()` tells it of a kill at once.
import { connect, type Msg, type NatsConnection, StringCodec } from 'nats';
import { AsyncResult, forEach, type Op, signal, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { inSequence, type Library, libraryTests, type Subject, using } from './subject.ts';

const server = await probe('nats');
const subjectOf = (name: string): string => `tendril.nats.${process.pid}.${name}`;
const { encode, decode } = StringCodec();

class Nats implements Subject {
  readonly client: NatsConnection;
  readonly responder: NatsConnection;
  readonly requests: Msg[] = [];

  constructor(client: NatsConnection, responder: NatsConnection) {
    this.client = client;
    this.responder = responder;
  }

  static *open(): Op<Nats> {
    const address = { servers: `${server?.host}:${server?.port}` };
    const nats = new Nats(yield* connect(address), yield* connect(address));
    nats.responder.subscribe(subjectOf('echo'), { callback: (_error, message) => void message.respond(message.data) });
    nats.responder.subscribe(subjectOf('held'), { callback: (_error, message) => void nats.requests.push(message) });
    // The server knows of the subscriptions.
    yield* nats.responder.flush();
    return nats;
  }

  *one(n: number): Op<number> {
    const reply = yield* this.client.request(subjectOf('echo'), encode(String(n)), { timeout: 30_000 });
    return Number(decode(reply.data));
  }

  *held(): Op<unknown> {
    return yield* this.client.request(subjectOf('held'), encode('?'), { timeout: 30_000 });
  }

  *holding(): Op<number> {
    return this.requests.length;
  }

  *release(): Op<void> {
    for (const message of this.requests.splice(0)) message.respond(encode('late'));
  }

  *close(): Op<void> {
    yield* this.responder.close();
    yield* this.client.close();
  }
}

const library = { open: () => Nats.open(), inFlight: 'goes on', meanwhile: 'answered' } as const;

libraryTests('nats', library satisfies Library, server === undefined, () => {
  it('has subscriptions that forEach reads, and which end when its greenlet is killed', async () => {
    const seen = await using(library, function* (subject) {
      const { client } = subject as Nats;
      const subscription = client.subscribe(subjectOf('news'));
      const heard: string[] = [];
      const third = new AsyncResult<void>();
      const reading = spawn(function* () {
        signal().addEventListener('abort', () => subscription.unsubscribe());
        yield* forEach(subscription, function* (message) {
          heard.push(decode(message.data));
          if (heard.length === 3) third.set();
        });
      });
      for (const text of ['a', 'b', 'c']) client.publish(subjectOf('news'), encode(text));
      yield* third.get();
      reading.kill();
      yield* reading.join();
      return { heard, closed: subscription.isClosed(), answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ heard: ['a', 'b', 'c'], closed: true, answers: [1, 2, 3] });
  });
});
