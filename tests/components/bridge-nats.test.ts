// bridge-nats.test.ts: a bridge between machines: over two channels of a NATS server that the test starts by itself.
import { all, type Op, run, spawn } from 'tendril';
import { Bridge, type BridgeMessage, Component, defineEvent } from 'tendril/components';
import { openRemoteChannel } from 'tendril/executors/nats';
import { describe, expect, it } from 'vitest';
import { program, startNats } from '../executors/nats-server.ts';
import { outcome } from './stage.ts';

const measure = defineEvent<[data: Uint8Array], number>('measure');
const secret = defineEvent('secret');

describe.skipIf(program === undefined)('A bridge over channels between machines', () => {
  it('carries calls, failures and refusals, many at once', async () => {
    const server = await startNats();
    const log: unknown[] = [];
    await run(function* () {
      const open = (name: string) => openRemoteChannel<BridgeMessage>(name, { servers: server.address, capacity: 16 });
      // Each machine has ends of its own.
      const [sent, taken, answered, received] = yield* all([open('forth'), open('forth'), open('back'), open('back')]);
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      new Bridge({ outbound: sent, inbound: received, outgoing: [measure, secret] }).register(here);
      new Bridge({ outbound: answered, inbound: taken, incoming: [measure] }).register(there);
      there.on(measure, (data) => {
        if (data.length === 0) throw new RangeError('nothing to measure');
        return data.length;
      });
      const other = spawn(() => there.run());
      other.link(() => {});
      yield* here.run(function* (): Op<void> {
        log.push(yield* here.call(measure(new Uint8Array(5))));
        log.push(yield* outcome(here.call(measure(new Uint8Array(0)))));
        log.push(yield* outcome(here.call(secret())));
        log.push(yield* outcome(here.call(measure((() => {}) as never))));
        const firings = Array.from({ length: 20 }, (_, i) => here.fire(measure(new Uint8Array(i + 1))));
        let sum = 0;
        for (const firing of firings) sum += (yield* firing.result())[0] ?? 0;
        log.push(sum);
      });
      other.kill();
      yield* other.join();
      for (const end of [sent, taken, answered, received]) end.close();
    });
    await server.end();
    expect(log).toEqual([
      [5],
      expect.stringMatching(/^RemoteEventError: .* RangeError: nothing to measure/),
      expect.stringMatching(/^RemoteEventError: .* refused: event "secret", which is not on its list/),
      expect.stringMatching(/^TypeError/),
      210,
    ]);
  });
});
