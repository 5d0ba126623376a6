// net.test.ts: sockets, servers, datagram sockets and HTTP requests belong to the greenlet that opens them, and outside greenlets nothing is different.
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import {
  http as client,
  connect,
  listen,
  type Op,
  openHandles,
  run,
  scope,
  sleep,
  spawn,
  timeout,
  until,
} from 'tendril';
import { adopt, patchNet, release } from 'tendril/patches';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ca, server as identity } from '../io/certificates.ts';
import { leaksWith, owned, packageOf } from './owning.ts';

const file = 'net.test.ts';
const host = '127.0.0.1';
const never = (): Op<void> => sleep(Number.POSITIVE_INFINITY);

/** Greets, and keeps each connection until it is ended. */
const peers = new Set<net.Socket>();
function greet(peer: net.Socket): void {
  peers.add(peer);
  peer.on('error', () => {}).on('close', () => peers.delete(peer));
  peer.write('hello');
}
const greeter = net.createServer(greet);
const secureGreeter = tls.createServer(identity, greet);
let port = 0;
let securePort = 0;

beforeAll(async () => {
  greeter.listen(0, host);
  await once(greeter, 'listening');
  port = (greeter.address() as net.AddressInfo).port;
  secureGreeter.on('tlsClientError', () => {}).listen(0, host);
  await once(secureGreeter, 'listening');
  securePort = (secureGreeter.address() as net.AddressInfo).port;
});
afterAll(() => {
  greeter.close();
  secureGreeter.close();
});

/** Resolves when the greeter has no connection: every client's end has been seen. */
async function noPeers(): Promise<void> {
  while (peers.size > 0) await once([...peers][0] as net.Socket, 'close');
}

type Ready<H> = { readonly handle: H; readonly ready: Promise<unknown> };
type Open = () => Ready<net.Socket | net.Server | dgram.Socket>;

const openers: readonly (readonly [name: string, kind: string, open: Open, isOpen: (handle: never) => boolean])[] = [
  ['net.connect', 'socket', () => opened(net.connect(port, host)), isConnected],
  [
    'tls.connect',
    'socket',
    () => opened(tls.connect({ port: securePort, host, ca, servername: 'localhost' })),
    isConnected,
  ],
  ['new net.Socket().connect', 'socket', () => opened(new net.Socket().connect({ port, host })), isConnected],
  ['net.Server.listen', 'server', () => listening(net.createServer().listen(0, host)), isListening],
  ['net.Server.listen on a name', 'server', () => listening(net.createServer().listen(0, 'localhost')), isListening],
  ['http.Server.listen', 'server', () => listening(http.createServer().listen(0, host)), isListening],
  ['dgram.Socket.bind', 'datagram socket', bound, isBound],
];

function opened(socket: net.Socket): Ready<net.Socket> {
  return { handle: socket, ready: once(socket, 'data') };
}
function listening(server: net.Server): Ready<net.Server> {
  return { handle: server, ready: once(server, 'listening') };
}
function bound(): Ready<dgram.Socket> {
  const socket = dgram.createSocket('udp4').bind(0, host);
  return { handle: socket, ready: once(socket, 'listening') };
}
function isConnected(socket: net.Socket): boolean {
  return !socket.destroyed;
}
function isListening(server: net.Server): boolean {
  return server.listening;
}
function isBound(socket: dgram.Socket): boolean {
  try {
    return socket.address().port > 0;
  } catch {
    return false;
  }
}
function close(handle: net.Socket | net.Server | dgram.Socket): Promise<unknown> {
  const closed = once(handle, 'close');
  if (handle instanceof net.Socket) handle.destroy();
  else handle.close();
  return closed;
}

describe.each(openers)('What %s opens in a greenlet', (_, kind, open, isOpen) => {
  const state = (handle: unknown): boolean => isOpen(handle as never);

  it('is open in cleanup, and closed when the greenlet was killed', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      await run(function* () {
        let handle: unknown;
        const g = spawn(function* () {
          const { handle: mine, ready } = open();
          handle = mine;
          yield* until(ready);
          seen.push(owned());
          g.kill();
          try {
            yield* never();
          } finally {
            seen.push(state(handle));
          }
        });
        yield* g.join();
        seen.push(state(handle));
      });
      await noPeers();
    });
    expect({ seen, leaks }).toEqual({ seen: [1, true, false], leaks: [] });
  });

  it('is closed when the greenlet has failed, at once or while it is being opened', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      await run(function* () {
        const { handle, ready } = yield* scope(function* (s) {
          const g = s.spawn(function* () {
            return open();
          });
          yield* g.join();
          return yield* g.get();
        });
        ready.catch(() => {});
        seen.push(state(handle));
        let early: unknown;
        const g = spawn(function* () {
          const mine = open();
          early = mine.handle;
          mine.ready.catch(() => {});
          throw new Error('failed');
        });
        yield* g.join();
        seen.push(state(early));
      });
      await noPeers();
    });
    expect({ seen, leaks }).toEqual({ seen: [false, false], leaks: [{ kind, owner: 'greenlet-n', here: true }] });
  });

  it('is closed and told of as a leak, with its place, when the greenlet ends well', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      await run(function* () {
        let handle: unknown;
        yield* scope(function* () {
          const mine = open();
          handle = mine.handle;
          yield* until(mine.ready);
        });
        seen.push(state(handle));
      });
      await noPeers();
    });
    expect({ seen, leaks }).toEqual({ seen: [false], leaks: [{ kind, owner: 'a scope of greenlet-n', here: true }] });
  });

  it('stays open when it was released, or adopted by another', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      await run(function* () {
        const handles = yield* scope(function* (s) {
          const g = s.spawn(function* () {
            const both = [open(), open()] as const;
            for (const { ready } of both) yield* until(ready);
            return both.map(({ handle }) => release(handle));
          });
          return yield* g.get();
        });
        const [kept, adopted] = handles as [net.Socket, net.Socket];
        const adopter = spawn(function* () {
          adopt(adopted);
          yield* never();
        });
        while (adopter.state !== 'parked') yield* sleep(0);
        seen.push(state(kept), state(adopted));
        adopter.kill();
        yield* adopter.join();
        seen.push(state(kept), state(adopted));
        yield* until(close(kept));
      });
      await noPeers();
    });
    expect({ seen, leaks }).toEqual({ seen: [true, true, true, false], leaks: [] });
  });

  it('is no leak when the program closes it in its last step', async () => {
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        const { handle, ready } = open();
        yield* until(ready);
        close(handle).catch(() => {});
      }),
    );
    expect(leaks).toEqual([]);
  });

  it('leaves nothing when the program closes it', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        const { handle, ready } = open();
        yield* until(ready);
        yield* until(close(handle));
        seen.push(owned());
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [0], leaks: [] });
  });
});

describe('A socket of a greenlet', () => {
  it('that was ended may say what it has to say', async () => {
    const received: string[] = [];
    const server = net.createServer(
      (peer) => void peer.setEncoding('utf8').on('data', (text: string) => received.push(text)),
    );
    server.listen(0, host);
    await once(server, 'listening');
    const leaks = await leaksWith(patchNet, file, async () => {
      const ended = once(server, 'connection').then(([peer]) => once(peer as net.Socket, 'end'));
      await run(function* () {
        net.connect((server.address() as net.AddressInfo).port, host).end('goodbye');
      });
      await ended;
    });
    await close(server);
    expect({ received, leaks }).toEqual({ received: ['goodbye'], leaks: [] });
  });

  it('that was read to its end is no leak', async () => {
    const server = net.createServer((peer) => void peer.end('goodbye')).listen(0, host);
    await once(server, 'listening');
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        const socket = net.connect((server.address() as net.AddressInfo).port, host);
        yield* until(once(socket.resume(), 'end'));
      }),
    );
    await close(server);
    expect(leaks).toEqual([]);
  });

  it('is nobody’s when a package opens it', async () => {
    const source = packageOf(`exports.open = (port, host) => require('node:net').connect(port, host);`);
    let socket: net.Socket | undefined;
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        socket = source.exports.open?.(port as never, host as never) as net.Socket;
        yield* until(once(socket, 'data'));
      }),
    );
    const open = socket?.destroyed === false;
    await close(socket as net.Socket);
    source.remove();
    expect({ open, leaks }).toEqual({ open: true, leaks: [] });
  });

  it('stays owned when the patch is undone', async () => {
    let socket: net.Socket | undefined;
    await run(function* () {
      const patch = patchNet();
      const g = spawn(function* () {
        socket = net.connect(port, host);
        patch.undo();
        yield* until(once(socket, 'data'));
        g.kill();
        yield* never();
      });
      yield* g.join();
    });
    await noPeers();
    expect(socket?.destroyed).toBe(true);
  });
});

describe('An HTTP request of a greenlet', () => {
  const server = http.createServer((request, response) => {
    if (request.url === '/slow') return;
    if (request.url === '/half') {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half.');
      return;
    }
    response.end('whole');
  });
  let url = '';
  beforeAll(async () => {
    server.listen(0, host);
    await once(server, 'listening');
    url = `http://${host}:${(server.address() as net.AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  /** Resolves when the next request has come and gone. */
  const arrived = (): Promise<void> =>
    new Promise((resolve) => {
      server.once('request', (request) => request.on('error', () => {}).on('close', resolve));
    });

  it.each([
    ['before its response', '/slow'],
    ['in the middle of its body', '/half'],
  ])('is aborted as soon as it is killed, %s', async (_, path) => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      const closed = arrived();
      await run(function* () {
        const g = spawn(function* () {
          const request = http.get(url + path);
          if (path === '/half') {
            const [response] = (yield* until(once(request, 'response'))) as [http.IncomingMessage];
            yield* until(once(response, 'data'));
          } else {
            yield* until(once(server, 'request'));
          }
          g.kill();
          seen.push(request.destroyed);
          yield* never();
        });
        yield* g.join();
      });
      await closed;
    });
    expect({ seen, leaks }).toEqual({ seen: [true], leaks: [] });
  });

  it('is aborted by a timeout around it, and the greenlet goes on', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      const closed = arrived();
      await run(function* () {
        let request: http.ClientRequest | undefined;
        const body = function* (): Op<string> {
          request = http.get(`${url}/slow`);
          yield* until(once(request, 'response'));
          return 'answered';
        };
        seen.push(yield* timeout(50, body(), { else: 'late' }), request?.destroyed);
      });
      await closed;
    });
    expect({ seen, leaks }).toEqual({ seen: ['late', true], leaks: [] });
  });

  it('that is over is no longer owned, and its socket is the agent’s', async () => {
    const agent = new http.Agent({ keepAlive: true });
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, async () => {
      await run(function* () {
        const request = http.get(url, { agent });
        const closed = once(request, 'close');
        const [response] = (yield* until(once(request, 'response'))) as [http.IncomingMessage];
        yield* until(once(response.resume(), 'end'));
        yield* until(closed);
        seen.push(owned());
      });
      const free = Object.values(agent.freeSockets).flat();
      seen.push(free.map((socket) => socket?.destroyed));
    });
    agent.destroy();
    expect({ seen, leaks }).toEqual({ seen: [0, [false]], leaks: [] });
  });

  it.each([true, false])('whose answer was read is no leak, kept alive: %s', async (keepAlive) => {
    const agent = new http.Agent({ keepAlive });
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        const request = http.get(url, { agent });
        const [response] = (yield* until(once(request, 'response'))) as [http.IncomingMessage];
        yield* until(once(response.resume(), 'end'));
      }),
    );
    agent.destroy();
    expect(leaks).toEqual([]);
  });

  it('that nobody waits for is aborted and told of as a leak', async () => {
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        http.get(`${url}/slow`);
      }),
    );
    expect(leaks).toEqual([{ kind: 'request', owner: 'greenlet-n', here: true }]);
  });
});

describe('With patchNet', () => {
  it('what tendril itself opens is tendril’s', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        const listener = yield* listen({ host, port: 0 });
        const socket = yield* connect({ host, port: listener.address.port as number });
        const peer = yield* listener.accept();
        seen.push(owned());
        for (const handle of [socket, peer, listener]) handle.close();
        const server = http.createServer((_, response) => void response.end('hi'));
        server.listen(0, host);
        yield* until(once(server, 'listening'));
        const { port: at } = server.address() as net.AddressInfo;
        const response = yield* client.get(`http://${host}:${at}/`);
        seen.push(yield* response.text(), owned());
        yield* until(
          new Promise((resolve) => {
            server.close(resolve);
            server.closeAllConnections();
          }),
        );
      }),
    );
    expect({ seen, leaks, open: openHandles().counts.listener }).toEqual({
      seen: [0, 'hi', 1],
      leaks: [],
      open: undefined,
    });
  });

  it('sockets and servers outside greenlets are nobody’s', async () => {
    const patch = patchNet();
    const server = net.createServer((peer) => peer.end('hi')).listen(0, host);
    await once(server, 'listening');
    const socket = net.connect((server.address() as net.AddressInfo).port, host);
    const [data] = (await once(socket, 'data')) as [Buffer];
    await once(socket, 'close');
    await close(server);
    patch.undo();
    expect(String(data)).toBe('hi');
  });
});
