// socket-faults.test.ts: what must go wrong safely on real sockets, where the peer is another process or does not speak: killed, silent, slow, too large.
import { spawn as spawnChild } from 'node:child_process';
import net from 'node:net';
import {
  ConnectionResetError,
  callback,
  connect,
  hub,
  type Listener,
  listen,
  type Op,
  run,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { failure, host, nothingLeft, withPair } from './peers.ts';

const chatty = `const socket = require('node:net').connect(Number(process.argv[1]), '${host}');
socket.on('error', () => {});
socket.write('hello');
setInterval(() => socket.write('.'), 5);`;

it('F29: a peer whose process is killed is an end or a reset, and no hang', () =>
  run(function* () {
    const listener: Listener = yield* listen({ host, port: 0 });
    const child = spawnChild(process.execPath, ['-e', chatty, String(listener.address.port)], { stdio: 'ignore' });
    const socket = yield* listener.accept();
    expect(String(yield* socket.readExactly(5))).toBe('hello');
    child.kill('SIGKILL');
    const end = yield* timeout(
      20_000,
      (function* (): Op<unknown> {
        try {
          for (;;) if ((yield* socket.read()) === null) return null;
        } catch (error) {
          return error;
        }
      })(),
    );
    if (end !== null) expect(end).toBeInstanceOf(ConnectionResetError);
    socket.close();
    listener.close();
  }).then(nothingLeft));

it('F28: an idle timeout begins anew with each byte that trickles in; a deadline for all of it still ends it', () =>
  withPair('TCP server', function* (socket, peer) {
    const trickle = setInterval(() => peer.write('x'), 20);
    let reads = 0;
    const error = yield* failure(
      timeout(
        400,
        (function* (): Op<void> {
          for (;;) {
            yield* timeout(10_000, socket.read());
            reads += 1;
          }
        })(),
      ),
    );
    clearInterval(trickle);
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as TimeoutError).timeoutMs).toBe(400);
    expect(reads).toBeGreaterThan(1);
    // And an idle peer is noticed by the idle timeout: nothing trickles any more.
    while ((yield* timeout(200, socket.read(), { else: undefined })) !== undefined);
    expect(socket.closed).toBe(false);
  }));

it('F30: a peer that says nothing any more is visible in the report, and an idle timeout ends it', () =>
  withPair('TCP server', function* (socket) {
    const reader = spawn(() => timeout(60_000, socket.read()));
    while (!reader.state.includes('parked')) yield* sleep(1);
    const report = hub.report();
    reader.kill();
    yield* reader.join();
    expect(report).toContain(String(socket));
    expect(yield* failure(timeout(20, socket.read()))).toBeInstanceOf(TimeoutError);
  }));

it('F20: more than 2 GiB in one write is a RangeError at the call, and the socket goes on', () =>
  withPair('TCP client', function* (socket, peer) {
    const huge = new Uint8Array(2 ** 31); // no memory is touched
    expect(() => socket.write(huge)).toThrow(RangeError);
    expect(() => socket.writev([huge.subarray(1), huge.subarray(1)])).toThrow(RangeError);
    expect(socket.unsent).toBe(0);
    yield* socket.write('still here');
    yield* socket.flush();
    expect(String(yield* callback<Buffer>((done) => void peer.once('data', (data: Buffer) => done(null, data))))).toBe(
      'still here',
    );
  }));

it('F38: a connection that is reset or destroyed before it is there is no event of anybody, and leaves nothing', () =>
  run(function* () {
    const listener: Listener = yield* listen({ host, port: 0 });
    const { port } = listener.address;
    const before = descriptors();
    for (let i = 0; i < 20; i += 1) {
      // Ours, given up before it is connected; and one of Node's, reset before it is.
      const connecting = spawn(() => connect({ host, port }));
      yield* sleep(0);
      connecting.kill();
      yield* connecting.join();
      // The kill came too late for those that were there already: they are ours.
      if (connecting.outcome?.ok === true) connecting.outcome.value.close();
      net
        .connect({ host, port })
        .on('error', () => {})
        .resetAndDestroy();
    }
    // Whoever got through all the same is accepted and reads its end.
    for (;;) {
      const socket = yield* timeout(200, listener.accept(), { else: undefined });
      if (socket === undefined) break;
      try {
        expect(yield* timeout(20_000, socket.read())).toBe(null);
      } catch (error) {
        expect(error).toBeInstanceOf(ConnectionResetError);
      }
      socket.close();
    }
    yield* descriptorsBackAt(before);
    listener.close();
  }).then(nothingLeft));
