// mqtt.test.ts: mqtt (MQTT.js) in greenlets, against Mosquitto.
//
// A kill leaves the publication: it is delivered, and its acknowledgement, which has a number of its own, is taken and dropped. Messages come as events: a channel
// of them (`on`) that is closed in `finally` leaves no listener.
import { connectAsync, type MqttClient } from 'mqtt';
import { Event, type Op, on, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { Gate } from './gate.ts';
import { inSequence, type Library, libraryTests, type Subject, using } from './subject.ts';

const server = await probe('mqtt');
const prefix = `tendril/mqtt/${process.pid}`;

class Mqtt implements Subject {
  readonly gate: Gate;
  readonly client: MqttClient;
  constructor(gate: Gate, client: MqttClient) {
    this.gate = gate;
    this.client = client.setMaxListeners(0);
  }

  static *open(): Op<Mqtt> {
    const gate = yield* Gate.before(server as NonNullable<typeof server>);
    const client = yield* connectAsync(`mqtt://${gate.address}`, { reconnectPeriod: 0 });
    yield* client.subscribeAsync(`${prefix}/+`, { qos: 1 });
    return new Mqtt(gate, client);
  }

  /** Publish, and wait until the broker brings it. */
  *one(n: number): Op<number> {
    const messages = on<[topic: string, payload: Buffer]>(this.client, 'message');
    try {
      yield* this.client.publishAsync(`${prefix}/${n}`, String(n), { qos: 1 });
      for (;;) {
        const [topic, payload] = yield* messages.receive();
        if (topic === `${prefix}/${n}`) return Number(payload);
      }
    } finally {
      messages.close();
    }
  }

  *held(): Op<unknown> {
    this.gate.shut();
    return yield* this.client.publishAsync(`${prefix}/held`, '?', { qos: 1 });
  }

  *holding(): Op<number> {
    return Math.min(this.gate.asked, 1);
  }

  *release(): Op<void> {
    this.gate.open();
  }

  *close(): Op<void> {
    yield* this.client.endAsync();
    yield* this.gate.close();
  }
}

const library = { open: () => Mqtt.open(), inFlight: 'goes on', meanwhile: 'queued' } as const;

libraryTests('mqtt', library satisfies Library, server === undefined, () => {
  it('has no listener left when a greenlet that waited for messages was killed', async () => {
    const seen = await using(library, function* (subject) {
      const { client } = subject as Mqtt;
      const before = client.listenerCount('message');
      const listening = new Event();
      const waiting = spawn(function* () {
        const messages = on<[topic: string, payload: Buffer]>(client, 'message');
        listening.set();
        try {
          for (;;) yield* messages.receive();
        } finally {
          messages.close();
        }
      });
      yield* listening.wait();
      const during = client.listenerCount('message');
      waiting.kill();
      yield* waiting.join();
      const after = client.listenerCount('message');
      return { during: during - before, after: after - before, answers: yield* inSequence(subject) };
    });
    expect(seen).toEqual({ during: 1, after: 0, answers: [1, 2, 3] });
  });
});
