// lent-reads.test.ts: an accepted socket reads into a buffer of ours, on every version of Node that the suite runs on.
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { lendReads } from '../../io/lent-reads.ts';
import { NodeTransport } from '../../io/node-transport.ts';

interface Ends {
  readonly accepted: net.Socket;
  readonly client: net.Socket;
}

async function pair(): Promise<Ends> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return { accepted, client };
}

describe('lendReads', () => {
  it('delivers into the buffer that it was given, until it is told to stop, and then what came meanwhile', async () => {
    const { accepted, client } = await pair();
    const buffer = Buffer.alloc(1024);
    let text = '';
    let stop = true;
    let called = (): void => {};
    const taken = lendReads(
      accepted,
      buffer,
      () => undefined,
      (length, bytes) => {
        text += bytes.toString('latin1', 0, length);
        called();
        return !stop;
      },
    );
    const next = (): Promise<void> => new Promise((resolve) => (called = resolve));
    const first = next();
    accepted.resume();
    client.write('one');
    await first;
    client.write('two');
    // What was sent is there, and is not read: a client that we answer has had its turn.
    accepted.write('answer');
    await once(client, 'data');
    const paused = text;
    stop = false;
    const second = next();
    accepted.resume();
    await second;
    const ended = once(accepted, 'end');
    client.end();
    await ended;
    accepted.destroy();
    expect({ taken, paused, text, held: buffer.toString('latin1', 0, 3) }).toEqual({
      taken: true,
      paused: 'one',
      text: 'onetwo',
      held: 'two',
    });
  });

  it('refuses a socket that reads already, and leaves it as it was', async () => {
    const { accepted, client } = await pair();
    const chunk = once(accepted, 'data');
    accepted.resume();
    const taken = lendReads(
      accepted,
      Buffer.alloc(10),
      () => undefined,
      () => true,
    );
    client.write('data');
    const [bytes] = (await chunk) as [Buffer];
    accepted.destroy();
    client.destroy();
    expect({ taken, text: bytes.toString() }).toEqual({ taken: false, text: 'data' });
  });

  it('refuses where Node has other fields, and the transport delivers through data, also what Node held back of a lost connection', async () => {
    const { accepted, client } = await pair();
    const field = Object.getOwnPropertySymbols(accepted).find(({ description }) => description === 'kBuffer') as symbol;
    (accepted as unknown as Record<symbol, unknown>)[field] = undefined;
    const transport = NodeTransport.accepted(accepted, undefined);
    let text = '';
    let lent = false;
    const lost = new Promise<unknown>((resolve) =>
      transport.start({
        received(bytes, length, isLent) {
          text += bytes.toString('latin1', 0, length);
          lent ||= isLent;
          return false;
        },
        ended() {},
        taken() {},
        failed: resolve,
        closed() {},
      }),
    );
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    client.write('a');
    while (text === '') await turn();
    // It said that it wants no more: this is with Node, which reads ahead.
    client.write('bc');
    while (accepted.readableLength < 2) await turn();
    const before = text;
    client.resetAndDestroy();
    const cause = (await lost) as NodeJS.ErrnoException;
    transport.destroy();
    expect({ before, text, lent, code: cause.code }).toEqual({
      before: 'a',
      text: 'abc',
      lent: false,
      code: 'ECONNRESET',
    });
  });

  it('refuses a socket without a handle', () => {
    const socket = new net.Socket();
    expect(
      lendReads(
        socket,
        Buffer.alloc(10),
        () => undefined,
        () => true,
      ),
    ).toBe(false);
  });
});
