// direct-writes.test.ts: writes straight to the handle of a socket, on every version of Node that the suite runs on.
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectionResetError, connect, run, timeout, yieldNow } from 'tendril';
import { describe, expect, it } from 'vitest';
import { FAILED, LEAVING, LEFT, NOT_TRIED, writeDirectly } from '../../io/direct-writes.ts';
import { bareServer, happened, host } from './peers.ts';

interface Ends {
  readonly near: net.Socket;
  readonly far: net.Socket;
}

const path = join(tmpdir(), `tendril-direct-writes-${process.pid}`);

async function pair(unix: boolean): Promise<Ends> {
  if (existsSync(path)) rmSync(path);
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  if (unix) server.listen(path);
  else server.listen(0, host);
  await once(server, 'listening');
  const near = unix
    ? net.connect({ path, allowHalfOpen: true })
    : net.connect({ port: (server.address() as net.AddressInfo).port, host, allowHalfOpen: true });
  const connected = once(near, 'connect');
  const [far] = (await once(server, 'connection')) as [net.Socket];
  await connected;
  server.close();
  // The first write of all is Node's own, and shows how it is done.
  if (writeDirectly(near, 'first;', nobody) === NOT_TRIED) near.write('first;');
  return { near, far };
}

const nobody = (): void => {
  throw new Error('nobody waits for this to leave');
};

async function all(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe.each([
  ['TCP', false],
  ['a Unix socket', true],
])('writeDirectly over %s', (_name, unix) => {
  it('sends text and bytes that the system takes at once, in order', async () => {
    const { near, far } = await pair(unix);
    const done = [
      writeDirectly(near, 'text é;', nobody),
      writeDirectly(near, Buffer.from('bytes;'), nobody),
      writeDirectly(near, new Uint8Array([33]), nobody),
    ];
    near.end();
    expect({ done, text: (await all(far)).toString() }).toEqual({
      done: [LEFT, LEFT, LEFT],
      text: 'first;text é;bytes;!',
    });
  });

  it('tells when the rest has left, and what the stream is given meanwhile comes after it', async () => {
    const { near, far } = await pair(unix);
    const large = Buffer.alloc(32 * 1024 * 1024, 'x');
    let left = 0;
    const gone = new Promise<void>((resolve) => {
      const done = writeDirectly(near, large, () => {
        left += 1;
        resolve();
      });
      expect({ done, left }).toEqual({ done: LEAVING, left: 0 });
    });
    near.write('after');
    const text = all(far);
    await gone;
    // Another one finds a request of its own.
    near.end();
    const bytes = await text;
    expect({ left, length: bytes.length, tail: bytes.subarray(-6).toString() }).toEqual({
      left: 1,
      length: large.length + 11,
      tail: 'xafter',
    });
  });

  it('is not tried on a socket that is destroyed, also while a write is leaving', async () => {
    const { near, far } = await pair(unix);
    const leaving = writeDirectly(near, Buffer.alloc(32 * 1024 * 1024), nobody);
    near.destroy();
    const after = writeDirectly(near, 'late', nobody);
    await once(near, 'close');
    far.destroy();
    expect({ leaving, after, errored: near.errored }).toEqual({ leaving: LEAVING, after: NOT_TRIED, errored: null });
  });

  it('destroys the socket with the error of the system, as Node does', async () => {
    const { near, far } = await pair(unix);
    const error = once(near, 'error');
    const ended = once(near, 'end');
    near.resume();
    // With nothing unread it goes with an end, not with a reset.
    far.once('data', () => far.destroy());
    far.resume();
    await ended;
    let done: number = LEFT;
    // The first one after the peer has gone is what makes it say so.
    while (done === LEFT && !near.destroyed) {
      done = writeDirectly(near, 'x', nobody);
      await new Promise(setImmediate);
    }
    const [{ code, syscall, message }] = (await error) as [NodeJS.ErrnoException];
    expect({ done, destroyed: near.destroyed, syscall, message }).toEqual({
      done: FAILED,
      destroyed: true,
      syscall: 'write',
      message: `write ${code}`,
    });
  });
});

describe('a socket whose writes go directly', () => {
  it('says how much had left when the connection is lost while some is leaving', () =>
    run(function* () {
      const server = net.createServer({ pauseOnConnect: true });
      const port = yield* bareServer(server);
      const connection = happened(server, 'connection');
      const socket = yield* connect({ host, port });
      const peer = (yield* connection) as net.Socket;
      yield* socket.write('small');
      yield* socket.flush();
      const small = socket.unsent;
      yield* socket.write(Buffer.alloc(32 * 1024 * 1024));
      yield* yieldNow();
      const before = socket.unsent > 0;
      peer.resetAndDestroy();
      let lost: unknown;
      try {
        yield* timeout(5000, socket.flush());
      } catch (error) {
        lost = error;
      }
      server.close();
      const { bytesQueued, bytesFlushed } = lost as ConnectionResetError;
      expect({ small, before, reset: lost instanceof ConnectionResetError, bytesQueued, bytesFlushed }).toEqual({
        small: 0,
        before: true,
        reset: true,
        bytesQueued: 32 * 1024 * 1024 + 5,
        bytesFlushed: 5,
      });
    }));
});
