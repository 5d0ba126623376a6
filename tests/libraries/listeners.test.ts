// listeners.test.ts: generator functions as listeners of libraries, with patchEvents: each event is a greenlet.
//
// The libraries are loaded after the patch, or before where they do not mind.
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { AsyncResult, callback, type Op, on, once, run, sleep } from 'tendril';
import { patchAll } from 'tendril/patches';
import { afterAll, afterEach, expect, it } from 'vitest';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { expectNothingLeft } from '../samples/settled.ts';
import { probe } from '../services.ts';

const postgres = await probe('postgres');
const redis = await probe('redis');

// First the patch, then the library: ioredis copies the methods of EventEmitter when it loads.
const patches = patchAll({ only: ['promise', 'events'] });
const { Redis } = await import('ioredis');
afterAll(() => patches.undo());
afterEach(expectNothingLeft);

it('A server of ws talks to each client in a greenlet', async () => {
  const answers = await run(function* () {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    server.on('connection', function* (socket: WebSocket): Op<void> {
      const messages = on<[RawData]>(socket, 'message');
      try {
        const [name] = yield* messages.receive();
        yield* sleep(1);
        yield* callback((done) => socket.send(`hello ${name}`, done));
      } finally {
        messages.close();
        socket.close();
      }
    });
    yield* once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const heard: string[] = [];
    for (const name of ['Ada', 'Grace']) {
      const client = new WebSocket(`ws://127.0.0.1:${port}`);
      const closed = on(client, 'close');
      const answered = on<[RawData]>(client, 'message');
      yield* once(client, 'open');
      client.send(name);
      const [data] = yield* answered.receive();
      heard.push(String(data));
      yield* closed.receive();
      closed.close();
      answered.close();
    }
    yield* callback((done) => server.close(done));
    return heard;
  });
  expect(answers).toEqual(['hello Ada', 'hello Grace']);
});

it.skipIf(redis === undefined)(
  'A subscriber of ioredis asks another connection while it hears of messages',
  async () => {
    const channel = `tendril:listeners:${process.pid}`;
    const heard = await run(function* () {
      const subscriber = new Redis({ ...redis, lazyConnect: true });
      const client = new Redis({ ...redis, lazyConnect: true });
      const all = new AsyncResult<string[]>();
      const values: string[] = [];
      subscriber.on('message', function* (_channel: string, text: string): Op<void> {
        values.push(yield* client.echo(`${text}!`));
        if (values.length === 3) all.set(values);
      });
      yield* subscriber.subscribe(channel);
      for (const text of ['a', 'b', 'c']) yield* client.publish(channel, text);
      const got = yield* all.get();
      yield* subscriber.quit();
      yield* client.quit();
      return got;
    });
    expect(heard).toEqual(['a!', 'b!', 'c!']);
  },
);

it.skipIf(postgres === undefined)('A client of pg asks its pool when it is notified', async () => {
  const channel = `tendril_listeners_${process.pid}`;
  const heard = await run(function* () {
    const options = { ...postgres, user: 'root', database: 'test' };
    const pool = new pg.Pool(options);
    const listener = new pg.Client(options);
    const told = new AsyncResult<unknown>();
    listener.on('notification', function* ({ payload }: pg.Notification): Op<void> {
      const { rows } = yield* pool.query('select upper($1) as text', [payload]);
      told.set(rows);
    });
    yield* listener.connect();
    yield* listener.query(`listen ${channel}`);
    yield* pool.query(`select pg_notify($1, 'news')`, [channel]);
    const rows = yield* told.get();
    yield* listener.end();
    yield* pool.end();
    return rows;
  });
  expect(heard).toEqual([{ text: 'NEWS' }]);
});
