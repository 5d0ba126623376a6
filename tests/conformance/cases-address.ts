// cases-address.ts: names, addresses and options: what is connected to, and what each end is called.
import { type ConnectError, type DnsError, listen } from 'tendril';
import { type Case, ending, hear, pairCase, placeCase, say, thrown, told } from './case.ts';

const noPorts = { Unix: 'a Unix socket has a path in place of host and port' };

export const addressing: readonly Case[] = [
  pairCase(
    'has addresses that mirror each other, also after close',
    { near: true, far: true, closed: true },
    function* (near, far) {
      const mirrored = (): boolean => String(near.localAddress) === String(far.remoteAddress);
      const seen = { near: mirrored(), far: String(near.remoteAddress) === String(far.localAddress) };
      near.close();
      far.close();
      return { ...seen, closed: mirrored() };
    },
  ),

  placeCase(
    'has the address of its listener as its peer, and IP addresses and ports as addresses',
    {
      peer: true,
      accepted: true,
      kinds: [
        ['string', true, undefined],
        ['string', true, undefined],
      ],
      apart: true,
    },
    function* (place) {
      const listener = yield* place.listen();
      const one = yield* place.connect(listener);
      const two = yield* place.connect(listener);
      const server = yield* place.accept(listener);
      const shape = ({ host, port, path }: typeof one.localAddress): unknown[] => [
        /^[\d.]+$/.test(host) ? 'string' : host,
        Number.isInteger(port) && port > 0 && port < 65_536,
        path,
      ];
      return {
        peer: String(one.remoteAddress) === String(listener.address),
        accepted: String(server.localAddress) === String(listener.address),
        kinds: [shape(one.localAddress), shape(listener.address)],
        apart: one.localAddress.port !== two.localAddress.port && one.localAddress.port !== listener.address.port,
      };
    },
    noPorts,
  ),

  placeCase(
    'finds no host whose name cannot exist',
    ['DnsError ENOTFOUND', true],
    function* (place) {
      const host = '*'.repeat(64);
      const error = (yield* thrown(place.dial({ host, port: 80 }))) as DnsError;
      return [told(error), error.host === host];
    },
    noPorts,
  ),

  placeCase(
    'cannot listen on an address of another host',
    'ListenError EADDRNOTAVAIL',
    function* () {
      return yield* ending(listen({ host: '192.0.2.1', port: 0 })); // TEST-NET-1: nobody's
    },
    noPorts,
  ),

  placeCase(
    'connects by a name to whichever of its addresses answers',
    { same: true, got: 'by name' },
    function* (place) {
      const listener = yield* place.listen();
      const socket = place.keep(yield* place.dial({ host: 'localhost', port: listener.address.port }));
      yield* say(socket, 'by name');
      return {
        same: socket.remoteAddress.host === listener.address.host,
        got: yield* hear(yield* place.accept(listener)),
      };
    },
    noPorts,
  ),

  placeCase(
    'is refused by name if none of its addresses answers, and says which were tried',
    { code: 'ECONNREFUSED', first: true, some: true },
    function* (place) {
      const { port } = (yield* place.site.deserted()) as { readonly port: number };
      const error = (yield* thrown(place.dial({ host: 'localhost', port }))) as ConnectError;
      const tried = error.attempts.map(({ address }) => address);
      return {
        code: error.code,
        first: error.message.startsWith(`connect to localhost:${port} failed: `),
        some: tried.includes(`127.0.0.1:${port}`) && tried.every((address) => address.endsWith(`:${port}`)),
      };
    },
    noPorts,
  ),

  placeCase(
    'listens on every address without a host',
    { got: 'anywhere', from: true, port: true },
    function* (place) {
      const listener = yield* place.listen({}, { port: 0 });
      const { port } = listener.address;
      const socket = place.keep(yield* place.dial({ host: '127.0.0.1', port }));
      const server = yield* place.accept(listener);
      yield* say(socket, 'anywhere');
      return {
        got: yield* hear(server),
        from: server.localAddress.host.endsWith('127.0.0.1') && server.remoteAddress.host.endsWith('127.0.0.1'),
        port: server.localAddress.port === port && server.remoteAddress.port === socket.localAddress.port,
      };
    },
    noPorts,
  ),

  placeCase(
    'connects from the address that it is told to, if that is one of its own',
    { local: '127.0.0.1', foreign: 'ConnectError EADDRNOTAVAIL' },
    function* (place) {
      const listener = yield* place.listen();
      const socket = yield* place.connect(listener, { localHost: '127.0.0.1' });
      const foreign = yield* ending(place.connect(listener, { localHost: '192.0.2.1' }));
      return { local: socket.localAddress.host, foreign };
    },
    noPorts,
  ),

  placeCase('talks the same with probes and with small packets gathered', ['question', 'answer'], function* (place) {
    const options = { noDelay: false, keepAliveMs: 60_000, family: 4 } as const;
    const listener = yield* place.listen({ noDelay: false, keepAliveMs: 60_000 });
    const socket = yield* place.connect(listener, options);
    const server = yield* place.accept(listener);
    yield* say(socket, 'question');
    const question = yield* hear(server);
    yield* say(server, 'answer');
    return [question, yield* hear(socket)];
  }),
];
