// nats.ts: a NATS client in sequential style: publish, subscribe as a channel, request and answer.
//
// Where to read on: nats/protocol.ts (what is on the wire), nats/client.ts (one connection for many greenlets, and what happens when it is lost),
// nats/subscription.ts (what happens to a slow reader).
//
// How to run: npx tsx samples/nats.ts [port]      (a NATS server on 127.0.0.1, 4222 by default)

import { ConnectError, forEach, main, type Op, rethrowKilled, scope, TimeoutError } from 'tendril';
import { NatsClient } from './nats/client.ts';
import { NatsConnectionError, NatsError, NatsProtocolError } from './nats/errors.ts';

export { NatsClient, type PublishOptions, type RequestOptions, type SubscribeOptions } from './nats/client.ts';
export { NatsConnectionError, NatsError, NatsProtocolError } from './nats/errors.ts';
export type { Headers, HeadersToSend } from './nats/headers.ts';
export type { NatsOptions } from './nats/link.ts';
export type { Message, Subscription } from './nats/subscription.ts';

function* tour(nats: NatsClient): Op<void> {
  // Nobody else's messages come under a name that is new each time.
  const base = `tendril.sample.${process.pid}`;

  const news = yield* nats.subscribe(`${base}.news.*`);
  yield* nats.publish(`${base}.news.bread`, 'rye is out');
  const { subject, data } = yield* news.receive();
  console.log(`${subject.slice(base.length + 1)}: ${data}`);
  yield* news.unsubscribe();

  yield* scope(function* bakery(s): Op<void> {
    // Two bakers share the orders: each order reaches one of them.
    const bakers = [];
    for (let i = 0; i < 2; i += 1) bakers.push(yield* nats.subscribe(`${base}.orders`, { queue: 'bakers' }));
    for (const orders of bakers) {
      s.spawn(() =>
        forEach(orders, function* bake(order): Op<void> {
          const loaves = Number(order.headers.get('Loaves')?.[0] ?? 1);
          if (order.reply !== undefined) yield* nats.publish(order.reply, `${loaves} x ${order.data}`);
        }),
      );
    }
    for (const [i, bread] of ['rye', 'wheat', 'spelt'].entries()) {
      const answer = yield* nats.request(`${base}.orders`, bread, { headers: { Loaves: String(i + 1) } });
      console.log(`an answer: ${answer.data}`);
    }
    for (const orders of bakers) yield* orders.drain();
  });

  try {
    yield* nats.request(`${base}.orders`, 'too late');
  } catch (error) {
    if (!(error instanceof NatsError)) throw error;
    console.log(`${error.code}: ${error.message.replace(base, '')}`);
  }
}

function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 4222);
  let nats: NatsClient;
  try {
    nats = yield* NatsClient.connect({ port, name: 'tendril sample' });
  } catch (error) {
    rethrowKilled(error);
    const expected = [ConnectError, TimeoutError, NatsError, NatsConnectionError, NatsProtocolError];
    if (!expected.some((type) => error instanceof type)) throw error;
    console.error(`No NATS answers: ${(error as Error).message}. Start one with: nats-server -a 127.0.0.1`);
    process.exitCode = 1;
    return;
  }
  try {
    yield* tour(nats);
    yield* nats.drain();
  } finally {
    nats.close();
  }
}

if (process.argv[1] === import.meta.filename) main(program);
