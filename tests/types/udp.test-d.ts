// udp.test-d.ts: the types of datagram sockets, and of a network that is simulated.
import { type Address, type Datagram, type DatagramSocket, type Op, select, udp, type Waitable } from 'tendril';
import { type SimulatedWorld, simulate } from 'tendril/testing';
import { expectTypeOf } from 'vitest';

expectTypeOf(udp()).toEqualTypeOf<Waitable<DatagramSocket>>();
expectTypeOf(udp({ port: 53 }, { family: 6, maxPending: 10 })).toEqualTypeOf<Waitable<DatagramSocket>>();

export function* talk(socket: DatagramSocket): Op<void> {
  expectTypeOf(yield* socket.receive()).toEqualTypeOf<Datagram>();
  expectTypeOf((yield* socket.receive()).from).toEqualTypeOf<Address>();
  yield* socket.send('x', { host: 'server', port: 53 });
  yield* socket.send(new Uint8Array(3), socket.localAddress);
  // It is one indivisible wait.
  const { key } = yield* select({ datagram: socket.receive(), sent: socket.send('x', socket.localAddress) });
  expectTypeOf(key).toEqualTypeOf<'datagram' | 'sent'>();
  // @ts-expect-error a port is needed
  socket.send('x', { host: 'server' });
  // @ts-expect-error bytes or a string
  socket.send(5, socket.localAddress);
  // @ts-expect-error there are two families
  udp({}, { family: 5 });
}

void simulate(function* (world) {
  expectTypeOf(world).toEqualTypeOf<SimulatedWorld>();
  const server = world.net.host('server', { addresses: ['10.0.0.2'], descriptors: 5 });
  const open = (port: number): Waitable<DatagramSocket> => udp({ port });
  expectTypeOf(yield* server.spawn(open, 53).get()).toEqualTypeOf<DatagramSocket>();
  // @ts-expect-error the body takes a number
  server.spawn(open, 'dns');
  world.net.partition('client', [server, 'other'], { oneWay: true });
  world.net.latency('client', server, { minMs: 1, maxMs: 2 });
  // @ts-expect-error both ends of the range are needed
  world.net.latency('client', server, { minMs: 1 });
  world.net.dns.fail('server', 'EAI_AGAIN');
  // @ts-expect-error no failure of a lookup
  world.net.dns.fail('server', 'ECONNREFUSED');
  return 5;
});
