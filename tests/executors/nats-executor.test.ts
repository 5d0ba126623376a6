// nats-executor.test.ts: the executor over machines passes what every executor passes. Its worker is a greenlet of this process, which it reaches through the server alone.
import { type Greenlet, run, spawn } from 'tendril';
import { RemoteExecutor, serveTasks } from 'tendril/executors/nats';
import { afterAll, beforeAll, describe } from 'vitest';
import { conformance } from './conformance.ts';
import { type NatsServer, program, startNats } from './nats-server.ts';
import { tasks } from './tasks.ts';

describe.skipIf(program === undefined)('Over NATS', () => {
  let server: NatsServer;
  let worker: Greenlet<unknown>;

  beforeAll(async () => {
    server = await startNats();
    worker = spawn(() => serveTasks(tasks, { servers: server.address, queue: 'conformance', concurrency: 100 }));
  });
  afterAll(async () => {
    worker.kill();
    await run(() => worker.join());
    await server.end();
  });

  conformance({
    kind: 'RemoteExecutor',
    make: (_size, options) => RemoteExecutor.connect({ ...options, servers: server.address, queue: 'conformance' }),
    copies: true,
    places: false,
  });
});
