// streams.ts: properties of sockets: every byte once and in order, however the network cuts them and whoever is killed while reading.
import { ConnectionResetError, type Op, type Socket, sleep, spawn, timeout } from 'tendril';
import type { SimulatedWorld } from 'tendril/testing';
import { CHOPPY, connection, type NetworkProperty, writeInPieces } from './network-property.ts';
import { isKilledOrTimeout, must, pause, same, spawnQuietly } from './property.ts';

const FRAMES = 4;

/** Frames of different lengths: a byte that says how many follow, which are all the frame's number. */
function frames(): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < FRAMES; i += 1) {
    const length = 3 * i + 1;
    bytes.push(length, ...new Array<number>(length).fill(i));
  }
  return Uint8Array.from(bytes);
}

/** Read frames until the end, with patience that the world chooses for each read; several greenlets may do so one after the other. */
class FrameReader {
  readonly #world: SimulatedWorld;
  readonly #socket: Socket;
  /** The length of the frame whose body has not been read. */
  #length: number | undefined;
  frames = 0;

  constructor(world: SimulatedWorld, socket: Socket) {
    this.#world = world;
    this.#socket = socket;
  }

  *run(): Op<void> {
    while (this.frames < FRAMES) {
      if (this.#length === undefined) {
        const head = yield* this.#read(1);
        if (head !== undefined) this.#length = head[0];
        continue;
      }
      const body = yield* this.#read(this.#length);
      if (body === undefined) continue;
      same([...body], new Array<number>(3 * this.frames + 1).fill(this.frames), 'a frame comes whole and in its turn');
      this.frames += 1;
      this.#length = undefined;
    }
  }

  /** So many bytes, or undefined if they did not come in time: then none was taken. */
  #read(count: number): Op<Buffer | undefined> {
    const limitMs = this.#world.pick([Number.POSITIVE_INFINITY, 1, 2]);
    return timeout(limitMs, this.#socket.readExactly(count), { else: undefined });
  }
}

export const STREAMS: readonly NetworkProperty[] = [
  {
    name: 'framed messages come whole and in order, however they are cut and whoever is killed while reading',
    rules: 'S6 S8',
    options: CHOPPY,
    *body(world) {
      const { near, far } = yield* connection(world);
      const writer = spawn(writeInPieces, world, near, frames());
      const reader = new FrameReader(world, far);
      const first = spawn(() => reader.run());
      if (world.chance(0.5, 'kill')) {
        yield* sleep(world.choose(6, 'when'));
        first.kill();
      }
      yield* first.join();
      yield* reader.run();
      yield* writer.get();
      same([reader.frames, far.buffered], [FRAMES, 0], 'all of them come, and nothing else');
      near.close();
      far.close();
    },
  },
  {
    name: 'lines come whole and in order, and the rest is left for whoever reads on',
    rules: 'S6 S8',
    options: CHOPPY,
    *body(world) {
      const { near, far } = yield* connection(world);
      const lines = ['a', 'bc', '', 'def', 'g'];
      const writer = spawn(function* () {
        yield* writeInPieces(
          world,
          near,
          Buffer.from(`${lines.map((line) => `${line}${world.pick(['\n', '\r\n'])}`).join('')}rest`),
        );
        near.end();
      });
      const got: string[] = [];
      const read = function* (): Op<void> {
        while (got.length < lines.length) {
          const limitMs = world.pick([Number.POSITIVE_INFINITY, 1, 2]);
          const line = yield* timeout(limitMs, far.readLine(), { else: undefined });
          if (line !== undefined) got.push(String(line));
        }
      };
      const first = spawn(read);
      if (world.chance(0.5, 'kill')) {
        yield* sleep(world.choose(6, 'when'));
        first.kill();
      }
      yield* first.join();
      yield* read();
      same(got, lines, 'each line comes once, in order');
      same(String(yield* far.readExactly(4)), 'rest', 'and what follows is not touched');
      same(yield* far.read(), null, 'then comes the end');
      yield* writer.get();
      near.close();
      far.close();
    },
  },
  {
    name: 'bytes are read once and in order in both directions at once',
    rules: 'S6 S18',
    options: { ...CHOPPY, net: { ...CHOPPY.net, sendBuffer: 16, receiveBuffer: 16 } },
    *body(world) {
      const { near, far } = yield* connection(world);
      const sent = Uint8Array.from({ length: 40 }, (_, i) => i);
      const copy = function* (from: Socket, to: Socket): Op<number[]> {
        const writer = spawn(function* () {
          yield* writeInPieces(world, from, sent);
          from.end();
        });
        const got: number[] = [];
        for (;;) {
          const bytes = yield* timeout(
            world.pick([Number.POSITIVE_INFINITY, 1]),
            to.read(1 + world.choose(9, 'most')),
            {
              else: undefined,
            },
          );
          if (bytes === null) break;
          got.push(...(bytes ?? []));
        }
        yield* writer.get();
        return got;
      };
      const both = [spawn(copy, near, far), spawn(copy, far, near)];
      for (const each of both) same(yield* each.get(), [...sent], 'all bytes come, in order');
      near.close();
      far.close();
    },
  },
  {
    name: 'a connection that is reset is never taken for one that has ended',
    rules: 'S6 S18',
    options: CHOPPY,
    *body(world) {
      const { near, far } = yield* connection(world);
      const sent = frames();
      const outcome = { got: 0, end: 'none' };
      const writer = spawnQuietly(function* () {
        yield* writeInPieces(world, near, sent);
        near.end();
      });
      const reader = spawn(function* () {
        try {
          for (;;) {
            const bytes = yield* far.read();
            if (bytes === null) break;
            for (const byte of bytes) same(byte, sent[outcome.got++], 'what comes is what was sent');
          }
          outcome.end = 'end';
        } catch (error) {
          if (isKilledOrTimeout(error)) throw error;
          must(error instanceof ConnectionResetError, 'a reset is told as such');
          outcome.end = 'reset';
        }
      });
      yield* pause(world, 5);
      world.net.reset(world.net.home, 'server', { afterBytes: world.choose(40, 'after') });
      yield* reader.get();
      if (outcome.end === 'end') same(outcome.got, sent.length, 'an end comes after all that was sent');
      near.close();
      far.close();
      yield* writer.join();
    },
  },
];
