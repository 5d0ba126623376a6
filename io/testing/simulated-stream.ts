// simulated-stream.ts: a simulated connection as Node has it: the Transport that our sockets get.
//
// Every rule was measured through our own transport on real loopback (Node 20, 22, 24, 26; `closed` follows each failure):
//   a reset, and we read                           what had come is delivered, then `read ECONNRESET`
//   ... we have paused, connection made by us      nothing until resume(); a write fails at once with `write ECONNRESET`, and what the
//                                                  system held is lost; end() succeeds
//   ... we have paused, connection accepted        as if we read, as long as Node holds less than 16 KiB
//   ... Node holds a write of ours                 `read ECONNRESET` if we read, `write ECONNRESET` if not
//   the peer has ended and then resets             reads go on to the end; a write fails at once with `write EPIPE`; end() succeeds
//   the peer has closed, nothing unread            the first write succeeds, the next fails with `write EPIPE`
//   ... Unix socket                                every write fails at once with `write EPIPE`
//   ... Unix socket, with data unread              reading ends with `read ECONNRESET`
//   a write fails at once                          `failure` is set in that call, the sink is told later
//   both sides have ended                          `closed`, without waiting for the peer's acknowledgement
//
// Invariant: the sink is `nobody` once it was told `closed`, and after destroy().

import type { Address } from '../address.ts';
import type { Transport, TransportSink } from '../transport.ts';
import type { SystemEnd } from './simulated-end.ts';
import { streamError } from './simulated-errors.ts';

const nobody: TransportSink = {
  received: () => true,
  ended() {},
  taken() {},
  failed() {},
  closed() {},
};

export class SimulatedStream implements Transport {
  readonly external = false;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly #end: SystemEnd;
  sink: TransportSink = nobody;
  #started = false;
  #failure: Error | undefined = undefined;

  constructor(end: SystemEnd, local: Address, remote: Address) {
    this.#end = end;
    this.localAddress = local;
    this.remoteAddress = remote;
  }

  get unsent(): number {
    return this.#end.sending.unsent;
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** Is it to be written to, and closed? */
  get #usable(): boolean {
    return this.#end.state === 'open' && this.#failure === undefined;
  }

  /** May something be delivered? */
  get reads(): boolean {
    return this.#usable && this.#started;
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    this.#started = true;
    const { net, receiving } = this.#end;
    net.clock.soon(() => receiving.pump());
  }

  resume(): void {
    this.#end.receiving.resume();
  }

  write(bytes: string | Uint8Array): void {
    const end = this.#end;
    if (!this.#usable || end.sending.ended) return;
    const code = end.writeError;
    if (code !== undefined) {
      const error = streamError('write', code);
      this.#failure = error;
      end.net.clock.soon(() => this.#tell(error));
      return;
    }
    // The caller may change its bytes as soon as the system has taken them.
    const copy = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes as Uint8Array);
    if (copy.length > 0) end.sending.write(copy);
    end.changed();
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    const end = this.#end;
    if (!this.#usable || end.sending.ended) return;
    end.sending.end();
    end.changed();
    if (end.sending.ended) end.net.clock.soon(() => this.sideEnded());
  }

  destroy(): void {
    this.sink = nobody;
    if (this.#end.state === 'open') this.#end.close();
  }

  /** One side has ended: after both of them Node closes the stream. */
  sideEnded(): void {
    const end = this.#end;
    if (!this.#usable || !end.sending.ended || !end.receiving.endTold) return;
    const { sink } = this;
    this.sink = nobody;
    end.close();
    sink.closed();
  }

  /** Node gives the stream up with an error. */
  fail(syscall: 'read' | 'write', code: string): void {
    if (this.#failure !== undefined) return;
    const error = streamError(syscall, code);
    this.#failure = error;
    this.#tell(error);
  }

  #tell(error: Error): void {
    const end = this.#end;
    if (end.state !== 'open') return;
    end.receiving.drain();
    const { sink } = this;
    this.sink = nobody;
    // How much had not been sent is to be seen until the sink knows.
    sink.failed(error);
    end.sending.drop();
    end.close();
    sink.closed();
  }

  /** The host has crashed. */
  vanish(): void {
    if (this.#failure !== undefined) return;
    const error = streamError('read', 'ENETDOWN');
    this.#failure = error;
    this.#end.net.clock.soon(() => {
      const { sink } = this;
      this.sink = nobody;
      sink.failed(error);
      this.#end.sending.drop();
      sink.closed();
    });
  }
}
