// socket-read.test.ts: reading from a socket: each way to read, at each moment, over TCP and Unix sockets, as client and as server.
import type net from 'node:net';
import {
  BusyError,
  ClosedError,
  type ConnectionResetError,
  current,
  GreenletKilledError,
  IncompleteReadError,
  isKilled,
  LineTooLongError,
  run,
  type Socket,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { failure, happened, sides, withPair } from './peers.ts';

/** Wait until `count` bytes are buffered and unread. */
function* untilBuffered(socket: Socket, count: number) {
  while (socket.buffered < count) yield* sleep(1);
}

type Reading = readonly [name: string, read: (socket: Socket) => Waitable<unknown>, sent: string, value: unknown];
const readings: readonly Reading[] = [
  ['read()', (socket) => socket.read(), 'hello', Buffer.from('hello')],
  ['read(3)', (socket) => socket.read(3), 'abc', Buffer.from('abc')],
  ['peek()', (socket) => socket.peek(), 'hello', Buffer.from('hello')],
  ['readExactly(4)', (socket) => socket.readExactly(4), 'four', Buffer.from('four')],
  ["readUntil('||')", (socket) => socket.readUntil('||'), 'field||', Buffer.from('field')],
  ['readLine()', (socket) => socket.readLine(), 'a line\r\n', 'a line'],
];

describe.each(sides)('Reading from a %s', (side) => {
  describe.each(readings)('with %s', (_name, read, sent, value) => {
    it('succeeds at once if it has come already', () =>
      withPair(side, function* (socket, peer) {
        peer.write(sent);
        yield* untilBuffered(socket, sent.length);
        expect(yield* timeout(1000, read(socket))).toEqual(value);
      }));

    it('waits until it comes', () =>
      withPair(side, function* (socket, peer) {
        const reader = spawn(read, socket);
        yield* sleep(2);
        peer.write(sent);
        expect(yield* reader.get()).toEqual(value);
      }));

    it('F65: leaves nothing behind when it is killed while it waits, and the next reader gets everything', () =>
      withPair(side, function* (socket, peer) {
        const first = spawn(read, socket);
        yield* yieldNow();
        first.kill('no reason');
        expect(yield* failure(first.get())).toBeInstanceOf(GreenletKilledError);
        peer.write(sent);
        expect(yield* read(socket)).toEqual(value);
      }));

    it('times out, and can be tried again', () =>
      withPair(side, function* (socket, peer) {
        expect(yield* failure(timeout(5, read(socket)))).toBeInstanceOf(TimeoutError);
        peer.write(sent);
        expect(yield* read(socket)).toEqual(value);
      }));

    it('F26: gets ClosedError when the socket is closed while it waits', () =>
      withPair(side, function* (socket) {
        const reader = spawn(read, socket);
        yield* yieldNow();
        socket.close();
        const error = yield* failure(reader.get());
        expect(error).toBeInstanceOf(ClosedError);
        expect(error.message).toContain(String(socket));
      }));

    it('gets ClosedError after close()', () =>
      withPair(side, function* (socket, peer) {
        peer.write(sent);
        yield* untilBuffered(socket, sent.length);
        socket.close();
        expect(yield* failure(read(socket))).toBeInstanceOf(ClosedError);
      }));

    it('F25: gets BusyError that names both while another greenlet reads, which is not disturbed', () =>
      withPair(side, function* (socket, peer) {
        const reader = spawn(read, socket);
        yield* yieldNow();
        const error = yield* failure(socket.read());
        expect(error).toBeInstanceOf(BusyError);
        expect(error.message).toContain(reader.name);
        expect(error.message).toContain(current().name);
        peer.write(sent);
        expect(yield* reader.get()).toEqual(value);
      }));

    it('is an arm of select that takes nothing if another arm wins', () =>
      withPair(side, function* (socket, peer) {
        expect(yield* select({ read: read(socket), tick: sleep(3) })).toEqual({ key: 'tick', value: undefined });
        peer.write(sent);
        expect(yield* select({ read: read(socket), tick: sleep(1000) })).toEqual({ key: 'read', value });
      }));

    it('throws ConnectionResetError when the peer resets while it waits', () =>
      withPair(side, function* (socket, peer) {
        if (side.startsWith('Unix')) return; // a Unix socket has no reset
        const reader = spawn(read, socket);
        yield* yieldNow();
        peer.resetAndDestroy();
        const error = yield* failure(reader.get());
        expect({ name: error.name, code: error.code }).toEqual({ name: 'ConnectionResetError', code: 'ECONNRESET' });
        expect(error.message).toContain(String(socket));
        expect((yield* failure(read(socket))).name).toBe('ConnectionResetError');
      }));
  });

  it('F6: reads null when the peer has ended, at every later read too, and may still write', () =>
    withPair(side, function* (socket, peer) {
      peer.end('last');
      expect(String(yield* socket.readExactly(4))).toBe('last');
      expect([yield* socket.read(), yield* socket.read(), yield* socket.read(1)]).toEqual([null, null, null]);
      expect([yield* socket.readLine(), yield* socket.readUntil(';'), yield* socket.peek()]).toEqual([
        null,
        null,
        null,
      ]);
      yield* socket.write('still here');
      peer.resume();
      let got = '';
      peer.on('data', (chunk) => (got += chunk));
      socket.end();
      yield* happened(peer, 'end');
      expect(got).toBe('still here');
      expect(yield* socket.read()).toBe(null);
    }));

  it('F6: ends our side with the peer if halfOpen is false', () =>
    withPair(
      side,
      function* (socket, peer) {
        peer.resume();
        peer.end();
        yield* happened(peer, 'end');
        expect(yield* socket.read()).toBe(null);
        expect(yield* failure(socket.write('too late'))).toBeInstanceOf(ClosedError);
      },
      { halfOpen: false },
    ));

  it('F1: delivers what was buffered before the peer reset, then the reset', () =>
    withPair(side, function* (socket, peer) {
      if (side.startsWith('Unix')) return; // a Unix socket has no reset
      peer.write('before');
      yield* untilBuffered(socket, 6);
      peer.resetAndDestroy();
      yield* sleep(10);
      expect(String(yield* socket.read(3))).toBe('bef');
      expect(String(yield* socket.read())).toBe('ore');
      const error = (yield* failure(socket.read())) as ConnectionResetError;
      expect({ name: error.name, code: error.code }).toEqual({ name: 'ConnectionResetError', code: 'ECONNRESET' });
    }));

  it('F63: throws IncompleteReadError at an end inside a line, a field or a count, and the data can still be read', () =>
    withPair(side, function* (socket, peer) {
      peer.end('no newline');
      const errors = [
        yield* failure(socket.readLine()),
        yield* failure(socket.readUntil(';')),
        yield* failure(socket.readExactly(11)),
      ] as IncompleteReadError[];
      for (const error of errors) expect(error).toBeInstanceOf(IncompleteReadError);
      expect(
        errors.map(({ code, partial, received, expected }) => [code, String(partial), received, expected]),
      ).toEqual([
        ['ERR_INCOMPLETE_READ', 'no newline', 10, undefined],
        ['ERR_INCOMPLETE_READ', 'no newline', 10, undefined],
        ['ERR_INCOMPLETE_READ', 'no newline', 10, 11],
      ]);
      expect(String(yield* socket.read())).toBe('no newline');
      expect((yield* failure(socket.readExactly(1))) as IncompleteReadError).toMatchObject({
        received: 0,
        expected: 1,
      });
    }));

  it('F63: throws IncompleteReadError in a reader that waits when the end comes', () =>
    withPair(side, function* (socket, peer) {
      const reader = spawn(function* () {
        return yield* socket.readExactly(10);
      });
      yield* yieldNow();
      peer.write('12345');
      yield* sleep(2);
      peer.end();
      expect(yield* failure(reader.get())).toMatchObject({ name: 'IncompleteReadError', received: 5, expected: 10 });
    }));

  const victims: readonly (readonly [string, (socket: Socket) => Waitable<unknown>, string])[] = [
    ['readLine', (socket: Socket) => socket.readLine(), '\n'],
    ['readExactly(7)', (socket: Socket) => socket.readExactly(7), ''],
    ['readUntil', (socket: Socket) => socket.readUntil('9'), '9'],
  ];
  it.each(victims)(
    'loses no byte and doubles none when %s is killed in the middle, again and again',
    (_name, read, mark) =>
      withPair(side, function* (socket, peer) {
        const text = `${Array.from({ length: 120 }, (_, i) => `line ${i * 7}`).join('\n')}\n`;
        spawn(function* () {
          for (let at = 0; at < text.length; at += 5) {
            peer.write(text.slice(at, at + 5));
            yield* sleep(0);
          }
          peer.end();
        });
        let got = '';
        let kills = 0;
        for (let turn = 0; ; turn += 1) {
          const victim = spawn(read, socket);
          for (let i = 0; i < 1 + (turn % 3); i += 1) yield* yieldNow();
          victim.kill();
          yield* victim.join();
          const { outcome } = victim;
          if (outcome?.ok === true && outcome.value === null) break;
          if (outcome?.ok === true) got += outcome.value + mark;
          else if (outcome?.error instanceof GreenletKilledError) kills += 1;
          else break; // the end came inside
        }
        for (let rest = yield* socket.read(); rest !== null; rest = yield* socket.read()) got += rest;
        expect(got).toBe(text);
        expect(kills).toBeGreaterThan(0);
      }),
  );

  it('F18: stops reading at the high-water mark, so that a flooding peer has to wait, and goes on when it is read', () =>
    withPair(side, function* (socket, peer) {
      const chunk = Buffer.alloc(65_536, 1);
      const total = 32 * 1024 * 1024;
      let sent = 0;
      const more = (): void => {
        while (sent < total) {
          sent += chunk.length;
          if (!peer.write(chunk)) return void peer.once('drain', more);
        }
        peer.end();
      };
      more();
      yield* sleep(60);
      const stalled = sent;
      yield* sleep(30);
      expect(sent).toBe(stalled);
      expect(stalled).toBeLessThan(total);
      expect(socket.buffered).toBeLessThanOrEqual(2 * 65_536);
      let got = 0;
      for (let data = yield* socket.read(); data !== null; data = yield* socket.read()) got += data.length;
      expect(got).toBe(total);
    }));

  it('reads a count far above the high-water mark', () =>
    withPair(side, function* (socket, peer) {
      const large = Buffer.alloc(3_000_000, 'large');
      peer.write(large);
      peer.write('rest');
      expect((yield* socket.readExactly(large.length)).equals(large)).toBe(true);
      expect(String(yield* socket.readExactly(4))).toBe('rest');
    }));

  it('F25: lets one greenlet read while another writes', () =>
    withPair(side, function* (socket, peer) {
      peer.pipe(peer);
      const reader = spawn(function* () {
        return String(yield* socket.readExactly(10));
      });
      yield* yieldNow();
      yield* socket.write('0123456789');
      expect(yield* reader.get()).toBe('0123456789');
    }));

  it('gives buffers that are the reader’s own', () =>
    withPair(side, function* (socket, peer) {
      peer.write('aaaa');
      yield* untilBuffered(socket, 4);
      const first = yield* socket.readExactly(2);
      peer.write('bbbb');
      const second = yield* socket.readExactly(6);
      first.fill('x');
      second.fill('y');
      peer.write('cccc');
      const third = yield* socket.readExactly(4);
      expect([String(first), String(second), String(third)]).toEqual(['xx', 'yyyyyy', 'cccc']);
    }));
});

describe('readLine', () => {
  const lines = (text: string | Buffer, options?: Parameters<Socket['readLine']>[0]) => {
    const all: (string | null)[] = [];
    return withPair('TCP client', function* (socket, peer) {
      peer.end(text);
      for (let line = yield* socket.readLine(options); line !== null; line = yield* socket.readLine(options))
        all.push(line);
    }).then(() => all);
  };

  it('takes LF and CR LF, keeps other CRs and empty lines', async () => {
    expect(await lines('a\nb\r\n\r\n\nc\rd\r\r\ne\n')).toEqual(['a', 'b', '', '', 'c\rd\r', 'e']);
  });

  it('decodes UTF-8 by default and Latin-1 if asked', async () => {
    expect(await lines('grün 🌱\n')).toEqual(['grün 🌱']);
    expect(await lines(Buffer.from([0xe9, 10]), { encoding: 'latin1' })).toEqual(['é']);
  });

  it('puts a character together that comes in two pieces', () =>
    withPair('TCP client', function* (socket, peer) {
      const bytes = Buffer.from('🌱\n');
      for (const byte of bytes) {
        peer.write(Buffer.from([byte]));
        yield* sleep(1);
      }
      expect(yield* socket.readLine()).toBe('🌱');
    }));

  it('takes a line of exactly the limit, and refuses a longer one without taking it', () =>
    withPair('TCP client', function* (socket, peer) {
      peer.write('12345\r\n123456\n');
      expect(yield* socket.readLine({ limit: 5 })).toBe('12345');
      const error = (yield* failure(socket.readLine({ limit: 5 }))) as LineTooLongError;
      expect(error).toBeInstanceOf(LineTooLongError);
      expect([error.code, error.limit, String(error.partial)]).toEqual(['ERR_LINE_TOO_LONG', 5, '123456\n']);
      expect(yield* socket.readLine({ limit: 6 })).toBe('123456');
    }));

  it('F61: refuses an endless line after the limit and one high-water mark', () =>
    withPair('TCP client', function* (socket, peer) {
      const chunk = Buffer.alloc(10_000, 'x');
      const more = (): void => {
        while (!peer.destroyed && peer.write(chunk));
        peer.once('drain', more);
      };
      more();
      const error = (yield* failure(socket.readLine())) as LineTooLongError;
      expect(error.name).toBe('LineTooLongError');
      expect(error.partial.length).toBeLessThanOrEqual(1024);
      expect(socket.buffered).toBeLessThanOrEqual(65_536 + 2 * 65_536);
    }));

  it('F66: takes time in proportion to the bytes when a line comes in tiny pieces', async () => {
    const { ReadBuffer } = await import('../../io/read-buffer.ts');
    const piece = Buffer.from('xy');
    const measure = (pieces: number): number => {
      const buffer = new ReadBuffer();
      const begin = process.cpuUsage();
      for (let i = 0; i < pieces; i += 1) {
        buffer.add(piece, 2, true);
        buffer.keep();
        if (buffer.indexOfByte(10) !== -1) throw new Error('found what is not there');
      }
      return process.cpuUsage(begin).user;
    };
    measure(50_000);
    const best = (pieces: number) => Math.min(...Array.from({ length: 3 }, () => measure(pieces)));
    // Processor time, because others are busy here too; it is counted in ticks of some ms, hence so many.
    const few = best(2_000_000);
    const many = best(8_000_000);
    expect(many / few).toBeLessThan(9); // four times the bytes; 16 if each piece were looked at again for each other
  });
});

describe('A socket', () => {
  it('refuses bad arguments of reads at the call', () =>
    withPair('TCP client', function* (socket) {
      yield* yieldNow();
      for (const max of [0, -1, 1.5, Number.NaN, '3' as never]) expect(() => socket.read(max)).toThrow(RangeError);
      for (const count of [-1, 1.5, Number.NaN, 2 ** 31, '3' as never]) {
        expect(() => socket.readExactly(count)).toThrow(RangeError);
      }
      for (const limit of [-1, 1.5, Number.NaN]) expect(() => socket.readLine({ limit })).toThrow(RangeError);
      expect(() => socket.readLine({ encoding: 'utf16le' as never })).toThrow(TypeError);
      expect(() => socket.readLine(5 as never)).toThrow(TypeError);
      expect(() => socket.readUntil('')).toThrow(RangeError);
      expect(() => socket.readUntil(5 as never)).toThrow(TypeError);
      expect(() => socket.unread('x' as never)).toThrow(TypeError);
      expect((yield* socket.readExactly(0)).length).toBe(0);
    }));

  it('ignores options that are inherited', () =>
    withPair('TCP client', function* (socket, peer) {
      peer.write('123456\n');
      const options = Object.create({ limit: 1, encoding: 'nonsense' }) as Record<string, never>;
      expect(yield* socket.readLine(options)).toBe('123456');
    }));

  it('peeks without taking, and takes back what is unread', () =>
    withPair('TCP client', function* (socket, peer) {
      peer.write('abcdef');
      yield* untilBuffered(socket, 6);
      expect(String(yield* socket.peek(2))).toBe('ab');
      const taken = yield* socket.readExactly(4);
      socket.unread(taken.subarray(1));
      expect(socket.buffered).toBe(5);
      expect(String(yield* socket.readExactly(5))).toBe('bcdef');
      socket.unread(Buffer.from('line\n'));
      expect(yield* socket.readLine()).toBe('line');
    }));

  it('says in a deadlock report or describe() what is read from where', () =>
    withPair('TCP client', function* (socket) {
      yield* yieldNow();
      const { localPort, remotePort } = portsOf(socket);
      expect(socket.readLine().describe()).toEqual({
        op: 'readLine',
        object: `socket 127.0.0.1:${localPort} -> 127.0.0.1:${remotePort}`,
      });
    }));

  it('keeps a kill pending that comes when the data is there already', () =>
    withPair('TCP client', function* (socket, peer) {
      peer.write('data');
      yield* untilBuffered(socket, 4);
      const reader = spawn(function* () {
        current().kill();
        const first = yield* failure(socket.read());
        return [isKilled(first), socket.buffered];
      });
      yield* reader.join();
      expect(reader.outcome).toMatchObject({ ok: true, value: [true, 4] });
    }));
});

function portsOf(socket: Socket): { localPort: number; remotePort: number } {
  return { localPort: socket.localAddress.port, remotePort: socket.remoteAddress.port };
}

describe('Reading outside a greenlet', () => {
  it('is refused by name', async () => {
    let kept: Socket | undefined;
    await withPair('TCP client', function* (socket, _peer: net.Socket) {
      kept = socket;
      yield* yieldNow();
    });
    expect(() => [...((kept as Socket).read() as Iterable<unknown>)]).toThrow(/outside a greenlet/);
    await run(function* () {
      expect(yield* failure((kept as Socket).read())).toBeInstanceOf(ClosedError);
    });
  });
});
