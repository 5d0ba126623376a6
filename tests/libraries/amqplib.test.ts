// amqplib.test.ts: amqplib in greenlets, against RabbitMQ.
//
// A channel answers its methods in order. A kill leaves the method: its answer is taken when it comes, and dropped. A channel of one's own may be closed, and what
// is held there comes back to its queue.
import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import { Event, type Op, sleep, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { Gate } from './gate.ts';
import { type Library, libraryTests, type Subject, using } from './subject.ts';

const server = await probe('rabbitmq');
const prefix = `tendril-amqplib-${process.pid}`;

class Amqp implements Subject {
  readonly gate: Gate;
  readonly connection: ChannelModel;
  readonly channel: Channel;
  constructor(gate: Gate, connection: ChannelModel, channel: Channel) {
    this.gate = gate;
    this.connection = connection;
    this.channel = channel;
  }

  static *open(): Op<Amqp> {
    const gate = yield* Gate.before(server as NonNullable<typeof server>);
    const connection = yield* connect(`amqp://guest:guest@127.0.0.1:${gate.address.port}`);
    return new Amqp(gate, connection, yield* connection.createChannel());
  }

  *one(n: number): Op<number> {
    const { queue } = yield* this.channel.assertQueue(`${prefix}-${n}`, { exclusive: true });
    this.channel.sendToQueue(queue, Buffer.from(String(n)));
    let message: GetMessage | false = false;
    while (message === false) message = yield* this.channel.get(queue, { noAck: true });
    yield* this.channel.deleteQueue(queue);
    return Number(message.content);
  }

  *held(): Op<unknown> {
    this.gate.shut();
    return yield* this.channel.assertQueue(`${prefix}-held`, { exclusive: true });
  }

  *holding(): Op<number> {
    return this.gate.asked;
  }

  *release(): Op<void> {
    this.gate.open();
  }

  *close(): Op<void> {
    yield* this.connection.close();
    yield* this.gate.close();
  }
}

const library = { open: () => Amqp.open(), inFlight: 'goes on', meanwhile: 'queued' } as const;

libraryTests('amqplib', library satisfies Library, server === undefined, () => {
  it('gives back to the queue what a killed consumer had not acknowledged, when its channel is closed', async () => {
    const seen = await using(library, function* (subject) {
      const { connection, channel } = subject as Amqp;
      const { queue } = yield* channel.assertQueue(`${prefix}-jobs`, { exclusive: true });
      channel.sendToQueue(queue, Buffer.from('a job'));
      const atWork = new Event();
      const consumer = spawn(function* () {
        const own = yield* connection.createChannel();
        try {
          const delivered = new Promise<string>((resolve) => {
            own.consume(queue, (message) => resolve(String(message?.content)));
          });
          yield* delivered;
          atWork.set();
          yield* sleep(60_000);
        } finally {
          own.close();
        }
      });
      yield* atWork.wait();
      consumer.kill();
      yield* consumer.join();
      let message: GetMessage | false = false;
      while (message === false) message = yield* channel.get(queue, { noAck: true });
      return { job: String(message.content), again: message.fields.redelivered };
    });
    expect(seen).toEqual({ job: 'a job', again: true });
  });
});
