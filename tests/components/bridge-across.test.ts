// bridge-across.test.ts: bridges to real threads and processes, and over connections: calls, failures, and a worker that is ended in the middle of it.
import { fork } from 'node:child_process';
import { once as eventOf } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import { type Op, once, run, sleep, spawn } from 'tendril';
import { Bridge, type BridgeMessage, bridgeLost, Component, defineEvent } from 'tendril/components';
import { type ChannelEnd, channelPair, processChannel, streamChannel } from 'tendril/executors/channels';
import { describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { outcome } from './stage.ts';

const measure = defineEvent<[data: Uint8Array], number>('measure');
const secret = defineEvent('secret');
const hang = defineEvent('hang');

const program = moduleFile(`
  import { run, sleep } from 'tendril';
  import { Bridge, Component, defineEvent } from 'tendril/components';
  import { openChannel, processChannel } from 'tendril/executors/channels';
  import { isMainThread, workerData } from 'node:worker_threads';

  const [measure, secret, hang, ready] = ['measure', 'secret', 'hang', 'ready'].map((name) => defineEvent(name));
  const link = isMainThread ? processChannel(process, 'events', { capacity: 4 }) : openChannel(workerData.far);
  const app = new Component({ name: 'worker' });
  app.on(measure, function* (data) {
    if (data.length === 0) throw new RangeError('nothing to measure');
    yield* sleep(1);
    return data.length;
  });
  app.on(secret, () => process.exit(9));
  app.on(hang, () => sleep(1e9));
  new Bridge({ outbound: link, inbound: link, incoming: [measure, hang], outgoing: [ready] }).register(app);
  await run(() => app.run(function* () {
    app.fire(ready());
    yield* app.wait(hang.complete);
  }));
`);

/** Run `body` with a tree that is bridged to a worker's. */
function withWorker(
  link: ChannelEnd<BridgeMessage>,
  body: (app: Component, bridge: Bridge) => Op<void>,
): Promise<void> {
  const ready = defineEvent('ready');
  return run(() => {
    const app = new Component({ name: 'app' });
    const ends = { outbound: link, inbound: link };
    const bridge = new Bridge({ ...ends, outgoing: [measure, secret, hang], incoming: [ready] }).register(app);
    return app.run(function* () {
      yield* app.wait(ready);
      yield* body(app, bridge);
    });
  });
}

function* visit(app: Component, bridge: Bridge, end: () => void): Op<void> {
  const log: unknown[] = [];
  log.push(yield* app.call(measure(new Uint8Array(1000))));
  log.push(yield* outcome(app.call(measure(new Uint8Array(0)))));
  log.push(yield* outcome(app.call(measure((() => {}) as never))));
  log.push(yield* outcome(app.call(secret())));
  const many = Array.from({ length: 50 }, (_, i) => app.fire(measure(new Uint8Array(i + 1))));
  let sum = 0;
  for (const firing of many) sum += (yield* firing.result())[0] ?? 0;
  log.push(sum);
  app.on(bridgeLost, () => void log.push('lost'));
  const hanging = spawn(() => outcome(app.call(hang())));
  yield* sleep(20);
  end();
  log.push(yield* hanging.get(), bridge.pending);
  expect(log).toEqual([
    [1000],
    expect.stringMatching(/^RemoteEventError: .* RangeError: nothing to measure/),
    expect.stringMatching(/^TypeError: .*args/),
    expect.stringMatching(/^RemoteEventError: .* refused: event "secret", which is not on its list/),
    1275,
    'lost',
    expect.stringMatching(/^BridgeLostError/),
    0,
  ]);
}

describe('A bridge', () => {
  it('to a thread carries calls and failures, refuses what is on no list, and is lost when the thread is ended', async () => {
    const [link, far] = channelPair<BridgeMessage>({ capacity: 4 });
    const worker = new Worker(program, { workerData: { far }, transferList: [far.port] });
    await withWorker(link, function* (app, bridge) {
      const exited = spawn(() => once(worker, 'exit'));
      yield* visit(app, bridge, () => void worker.terminate());
      yield* exited.get();
    });
  });

  it('over a connection, as between machines, carries events both ways until the connection breaks', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await eventOf(server, 'listening');
    const dialled = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    const [accepted] = (await eventOf(server, 'connection')) as [net.Socket];
    const log: unknown[] = [];
    await run(function* () {
      const trees = [dialled, accepted].map((socket, at) => {
        const link = streamChannel<BridgeMessage>(socket, { capacity: 8 });
        const app = new Component({ name: `tree ${at}` });
        new Bridge({ outbound: link, inbound: link, outgoing: [measure], incoming: [measure] }).register(app);
        app.on(measure, (data) => 1000 * at + data.length);
        app.on(bridgeLost, () => void log.push(`${app.name} has lost the other`));
        return app;
      });
      const [here, there] = trees as [Component, Component];
      const other = spawn(() => there.run());
      other.link(() => {});
      yield* here.run(function* () {
        log.push(yield* here.call(measure(new Uint8Array(5))), yield* there.call(measure(new Uint8Array(7))));
        accepted.destroy();
        log.push(yield* outcome(here.call(measure(new Uint8Array(1)))));
      });
      other.kill();
    });
    server.close();
    expect(log.map(String).sort()).toEqual([
      '1005,5',
      '7,1007',
      'BridgeLostError: component Bridge has lost its link: unregister it, and register one over a new link',
      'tree 0 has lost the other',
      'tree 1 has lost the other',
    ]);
  });

  it('to a process does so too, killed with SIGKILL', async () => {
    const child = fork(program, { serialization: 'advanced', execArgv: [] });
    const link = processChannel<BridgeMessage>(child, 'events', { capacity: 4 });
    await withWorker(link, function* (app, bridge) {
      const exited = spawn(() => once(child, 'exit'));
      yield* visit(app, bridge, () => void child.kill('SIGKILL'));
      yield* exited.get();
    });
  });
});
