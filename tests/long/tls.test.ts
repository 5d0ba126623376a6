// tls.test.ts: a thousand clients that do not finish their handshake, and 100 MB through TLS to a reader that takes its time.
import net from 'node:net';
import { connectTls, listenTls, type Op, run, serve, sleep, spawn } from 'tendril';
import { describe, expect, it } from 'vitest';
import { ca, server } from '../io/certificates.ts';
import { descriptors, descriptorsBackAt } from '../io/descriptors.ts';
import { host, nothingLeft } from '../io/peers.ts';
import { when } from '../io/tls-peers.ts';

const MIB = 1_048_576;

/** Connect `count` bare clients; a half of them says a byte of a ClientHello each second, the others nothing. */
function* besiege(port: number, count: number): Op<{ sockets: net.Socket[]; stop(): void }> {
  const hello = Buffer.from('16030100c8010000c40303'.padEnd(400, '0'), 'hex');
  const sockets: net.Socket[] = [];
  for (let i = 0; i < count; i += 1) {
    const socket = net.connect({ host, port });
    socket.on('error', () => {});
    socket.resume();
    sockets.push(socket);
  }
  yield* when(() => sockets.every((socket) => !socket.connecting));
  let second = 0;
  const trickle = setInterval(() => {
    for (let i = 0; i < count; i += 2) sockets[i]?.write(hello.subarray(second, second + 1));
    second += 1;
  }, 1_000);
  return { sockets, stop: () => clearInterval(trickle) };
}

/** The longest time that an honest client waits for an answer while `until` does not hold. */
function* honestClients(address: { host: string; port: number }, until: () => boolean): Op<number[]> {
  const waits: number[] = [];
  while (!until()) {
    const before = performance.now();
    const socket = yield* connectTls(address, { ca });
    yield* socket.write('hello\n');
    expect(yield* socket.readLine()).toBe('hello');
    waits.push(performance.now() - before);
    socket.close();
    yield* sleep(50);
  }
  return waits;
}

describe('A siege', () => {
  it(
    'F46: of 1,000 silent and slow clients ends at the handshake limit, leaves no memory behind and disturbs nobody',
    {
      timeout: 180_000,
    },
    () =>
      run(function* () {
        const listener = yield* listenTls({ host, port: 0 }, { ...server, handshakeTimeoutMs: 2_000 });
        const serving = spawn(() =>
          serve(listener, function* (socket) {
            for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
              yield* socket.write(`${line}\n`);
          }),
        );
        const before = descriptors();
        const memory: number[] = [];
        let failed = 0;
        for (let round = 0; round < 6; round += 1) {
          const { sockets, stop } = yield* besiege(listener.address.port, 1_000);
          const waits = yield* honestClients(listener.address, () => sockets.every((socket) => socket.destroyed));
          stop();
          failed += 1_000;
          yield* when(() => listener.stats.tlsErrors >= failed);
          expect(listener.stats.tlsErrors).toBe(failed);
          waits.sort((a, b) => a - b);
          expect(waits.length).toBeGreaterThan(5);
          // Usually 5 ms.
          expect(waits[waits.length >> 1]).toBeLessThan(1_000);
          yield* descriptorsBackAt(before);
          memory.push(process.memoryUsage.rss());
        }
        console.log(`F46: RSS after each siege: ${memory.map((bytes) => `${Math.round(bytes / MIB)} MiB`).join(', ')}`);
        // The first ones make room that the later ones use again.
        expect((memory.at(-1) as number) - (memory[1] as number)).toBeLessThan(48 * MIB);
        listener.close();
        yield* serving.join();
      }).then(nothingLeft),
  );
});

describe('A slow reader', () => {
  it('F55: of 100 MB through TLS costs no more memory than one of TCP', { timeout: 180_000 }, () =>
    run(function* () {
      const PIECE = 256 * 1024;
      const SIZE = 100 * MIB;
      const listener = yield* listenTls({ host, port: 0 }, server);
      const acceptor = spawn(() => listener.accept());
      const reader = yield* connectTls(listener.address, { ca });
      const writer = yield* acceptor.get();
      const pattern = Buffer.alloc(PIECE, 'tendril');
      let most = 0;
      const writing = spawn(function* () {
        for (let sent = 0; sent < SIZE; sent += PIECE) {
          yield* writer.write(pattern);
          most = Math.max(most, writer.unsent);
        }
        writer.end();
      });
      const before = process.memoryUsage.rss();
      let grown = 0;
      let size = 0;
      let intact = true;
      for (let chunk = yield* reader.read(); chunk !== null; chunk = yield* reader.read()) {
        const at = size % PIECE;
        const room = Math.min(chunk.length, PIECE - at);
        if (!chunk.subarray(0, room).equals(pattern.subarray(at, at + room))) intact = false;
        size += chunk.length;
        grown = Math.max(grown, process.memoryUsage.rss() - before);
        if (size % (4 * MIB) < chunk.length) yield* sleep(50);
      }
      yield* writing.get();
      console.log(
        `F55: at most ${Math.round(most / 1024)} KiB queued, RSS grew by at most ${Math.round(grown / MIB)} MiB`,
      );
      expect([size, intact, reader.truncatable]).toEqual([SIZE, true, false]);
      // The high-water mark and one piece.
      expect(most).toBeLessThanOrEqual(65_536 + PIECE);
      expect(grown).toBeLessThan(48 * MIB);
      for (const each of [reader, writer, listener]) each.close();
    }).then(nothingLeft),
  );
});
