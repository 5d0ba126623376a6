// stdio-transport.ts: one direction of a pipe as a Transport: a child's stdin, stdout or stderr, or one of our own, whatever Node has made of it (a pipe, a
// file, a terminal).
//
// An input is read by 'readable' and read(): Node then holds at most its own high-water mark while we do not ask, and nothing else can make it flow. (A
// child's streams are resumed by Node when the child exits, which would pour all that is left into a reader that had asked for a pause.)
//
// The missing direction has ended from the start: reading an output gives null, writing to an input ClosedError.
//
// Our own three streams are shared with the rest of the program: they are never destroyed or ended, only let go of.

import type { Readable, Writable } from 'node:stream';
import { Address } from './address.ts';
import { codeOf } from './errors.ts';
import type { Transport, TransportSink } from './transport.ts';

const NOTHING = Buffer.alloc(0);
const PIPE = new Address('', 0, '');

const nobody: TransportSink = {
  received: () => true,
  ended() {},
  taken() {},
  failed() {},
  closed() {},
};

const ignore = (): void => {};
const quiet = new WeakSet<Readable | Writable>();
const dropping = new WeakSet<Writable>();

/** Once its reader has gone, what is written to `stream`, one of our own, goes nowhere, and that is no error. For main(). */
export function dropWhenLost(stream: Writable): void {
  dropping.add(stream);
}

/** Whose stream it is: ours alone, or the whole program's. */
export type Ownership = 'own' | 'shared';

/** What streams with a handle have, and files have not. */
interface Referenced {
  ref?(): unknown;
  unref?(): unknown;
}

/** What both directions have. */
abstract class StdioTransport<S extends Readable | Writable> implements Transport {
  readonly external = true;
  readonly localAddress: Address = PIPE;
  readonly remoteAddress: Address = PIPE;
  readonly name: string;
  protected readonly stream: S;
  protected readonly shared: boolean;
  protected sink: TransportSink = nobody;
  readonly #listeners: [event: string, listener: (...args: never[]) => void][] = [];

  constructor(stream: S, name: string, ownership: Ownership) {
    this.stream = stream;
    this.name = name;
    this.shared = ownership === 'shared';
  }

  abstract readonly unsent: number;
  abstract readonly failure: unknown;
  abstract start(sink: TransportSink): void;
  abstract resume(): void;
  abstract write(bytes: string | Uint8Array): void;
  abstract cork(): void;
  abstract uncork(): void;
  abstract end(): void;

  protected listen(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.push([event, listener]);
    this.stream.on(event, listener as (...args: unknown[]) => void);
  }

  /** Whether the process lives is for the scheduler's hold() to say. A file has nothing to let go of. */
  protected unref(): void {
    (this.stream as Referenced).unref?.();
  }

  destroy(): void {
    this.sink = nobody;
    const { stream } = this;
    for (const [event, listener] of this.#listeners) stream.removeListener(event, listener as () => void);
    this.#listeners.length = 0;
    // An error that comes late, of a write that was under way, is of no interest to anybody.
    if (!quiet.has(stream)) stream.on('error', ignore);
    quiet.add(stream);
    if (!this.shared) stream.destroy();
  }
}

/** Bytes that come: a child's stdout, our own stdin. */
export class InputTransport extends StdioTransport<Readable> {
  readonly unsent = 0;
  readonly failure: unknown = undefined;
  #wanted = true;
  #finished = false;
  readonly #deliver = (): void => {
    while (this.#wanted) {
      const chunk = this.stream.read() as Buffer | null;
      if (chunk === null) return;
      this.#wanted = this.sink.received(chunk, chunk.length, false);
    }
  };

  start(sink: TransportSink): void {
    this.sink = sink;
    const { stream } = this;
    this.unref();
    if (stream.readableEnded || stream.destroyed) {
      // Read to its end by somebody else.
      process.nextTick(() => {
        this.sink.ended();
        this.sink.closed();
      });
      return;
    }
    this.listen('readable', this.#deliver);
    this.listen('end', () => {
      this.#finished = true;
      this.sink.ended();
      // Our own stdin is not ours to close, and a file's never closes.
      if (this.shared) this.sink.closed();
    });
    this.listen('error', (error: Error) => {
      this.#finished = true;
      this.#drain();
      this.sink.failed(error);
    });
    this.listen('close', () => {
      if (!this.#finished) this.#drain();
      this.sink.closed();
    });
  }

  resume(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    process.nextTick(this.#deliver);
  }

  /** Deliver what Node still holds. */
  #drain(): void {
    for (let chunk = this.stream.read(); chunk !== null; chunk = this.stream.read()) {
      this.sink.received(chunk, chunk.length, false);
    }
  }

  write(): void {}
  cork(): void {}
  uncork(): void {}
  end(): void {}

  override destroy(): void {
    this.#wanted = false;
    super.destroy();
    if (!this.shared) return;
    // As it was: what somebody else reads later must not have been read by us, and may keep the process alive.
    this.stream.pause();
    (this.stream as Referenced).ref?.();
  }
}

/** Bytes that leave: a child's stdin, our own stdout and stderr. */
export class OutputTransport extends StdioTransport<Writable> {
  // As in node-transport.ts: only when something is left is an empty write queued behind it, whose callback says that it has left.
  #watching = false;
  #ending = false;
  #failure: Error | undefined = undefined;
  /** The reader has gone, and nobody minds. */
  #dropped = false;
  readonly #left = (): void => {
    this.#watching = false;
    this.sink.taken();
    this.#watch();
  };

  get unsent(): number {
    return this.#dropped ? 0 : this.stream.writableLength;
  }

  get failure(): unknown {
    // Of our own streams the event tells: it tells main() too, in the same moment.
    return this.#failure ?? (this.shared ? undefined : (this.stream.errored ?? undefined));
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    if (!this.shared) this.unref();
    this.listen('error', (error: Error) => {
      if (this.#failure !== undefined || this.#dropped) return;
      if (dropping.has(this.stream) && codeOf(error) === 'EPIPE') {
        this.#dropped = true;
        this.sink.taken();
        return;
      }
      this.#failure = error;
      this.sink.failed(error);
      if (this.shared) this.sink.closed();
    });
    if (!this.shared) this.listen('close', () => this.#closed());
    process.nextTick(() => this.sink.ended());
  }

  // Node closes a child's stdin when the child exits: as far as whoever writes is concerned, the reader has gone.
  #closed(): void {
    if (this.#failure === undefined && !this.stream.writableFinished) {
      this.#failure = Object.assign(new Error('the reader has gone: EPIPE'), { code: 'EPIPE' });
      this.sink.failed(this.#failure);
    }
    this.sink.closed();
  }

  resume(): void {}

  write(bytes: string | Uint8Array): void {
    const { stream } = this;
    if (stream.destroyed || this.#failure !== undefined || this.#dropped) return;
    stream.write(bytes);
    if (stream.writableCorked === 0) this.#watch();
  }

  cork(): void {
    this.stream.cork();
  }

  uncork(): void {
    this.stream.uncork();
    this.#watch();
  }

  end(): void {
    if (this.#ending || this.stream.destroyed) return;
    this.#ending = true;
    if (this.shared) {
      this.stream.write(NOTHING, () => {
        this.sink.taken();
        this.sink.closed();
      });
    } else {
      this.stream.end(this.#left);
    }
  }

  #watch(): void {
    const { stream } = this;
    if (stream.writableLength === 0 || this.#watching || this.#ending || stream.destroyed) return;
    this.#watching = true;
    stream.write(NOTHING, this.#left);
  }
}
