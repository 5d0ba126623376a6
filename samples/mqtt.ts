// mqtt.ts: an MQTT 3.1.1 client in sequential style: publish, subscribe as a channel, QoS 0, 1 and 2.
//
// Where to read on: mqtt/packets.ts (what is on the wire), mqtt/client.ts (one connection for many greenlets), mqtt/subscription.ts (a slow reader holds
// back the server), mqtt/session.ts (what outlives a connection).
//
// How to run: npx tsx samples/mqtt.ts [port]      (a server on 127.0.0.1, 1883 by default)

import { all, ConnectError, main, type Op, rethrowKilled, TimeoutError } from 'tendril';
import { MqttClient } from './mqtt/client.ts';
import { MqttConnectionError, MqttError, MqttProtocolError } from './mqtt/errors.ts';

export { MqttClient, type PublishOptions, type SubscribeOptions } from './mqtt/client.ts';
export { MqttConnectionError, MqttError, MqttProtocolError } from './mqtt/errors.ts';
export type { MqttOptions } from './mqtt/hello.ts';
export type { Qos, Will } from './mqtt/packets.ts';
export { MqttSession } from './mqtt/session.ts';
export type { Message, Subscription } from './mqtt/subscription.ts';

function* tour(port: number): Op<void> {
  // Nobody else's messages come under a name that is new each time.
  const base = `tendril/sample/${process.pid}`;
  const will = { topic: `${base}/state`, payload: 'the oven has gone without a goodbye', qos: 1 as const };
  const baker = yield* MqttClient.connect({ port });
  const oven = yield* MqttClient.connect({ port, will });
  try {
    const readings = yield* baker.subscribe(`${base}/oven/+`, { qos: 2 });
    yield* oven.publish(`${base}/oven/light`, 'on');
    yield* all([
      oven.publish(`${base}/oven/degrees`, '220', { qos: 1 }),
      oven.publish(`${base}/oven/bread`, 'rye', { qos: 2 }),
    ]);
    for (let i = 0; i < 3; i += 1) {
      const { topic, payload, qos } = yield* readings.receive();
      console.log(`${topic.slice(base.length + 1)}: ${payload} (QoS ${qos})`);
    }
    yield* readings.unsubscribe();

    const states = yield* baker.subscribe(`${base}/state`, { qos: 1 });
    oven.close(); // no disconnect()
    console.log(`its will: ${(yield* states.receive()).payload}`);
    yield* baker.disconnect();
  } finally {
    oven.close();
    baker.close();
  }
}

function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 1883);
  try {
    yield* tour(port);
  } catch (error) {
    rethrowKilled(error);
    const expected = [ConnectError, TimeoutError, MqttError, MqttConnectionError, MqttProtocolError];
    if (!expected.some((type) => error instanceof type)) throw error;
    console.error(`No MQTT server answers: ${(error as Error).message}. Start one with: mosquitto -p 1883`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main(program);
