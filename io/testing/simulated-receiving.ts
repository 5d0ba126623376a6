// simulated-receiving.ts: the receiving side of one end of a connection: what has arrived, and what of it Node and its reader have taken.
//
// Measured, and copied: a connection that we made (`onread`) stops reading at once when its reader pauses. One that we accepted ('data') goes on
// until Node holds 16 KiB; so it hears of a reset while it is paused, and what Node holds then is still delivered.
// A reset does not destroy what has arrived: it is read first. After the peer's end, a reset is not heard by reading at all.
// (Node 20 and 22 tell a paused reader a clean end in place of a reset, if bytes came before it; confirmed-end.ts mends that.)
//
// Invariants:
//   arrived - read is what the system holds
//   nothing is delivered between a false from the reader and the next resume()

import { Fifo } from '../../core/fifo.ts';
import type { SystemEnd } from './simulated-end.ts';
import type { WaitsForLink } from './simulated-link.ts';

/** How much Node holds of a paused connection that we accepted: as node-network.ts asks for. */
const NODE_HIGH_WATER_MARK = 16_384;
/** How much Node reads at once. */
const READ_SIZE = 65_536;

export class Receiving implements WaitsForLink {
  readonly #end: SystemEnd;
  /** What the system holds, and what Node holds. */
  readonly #unread: Fifo<Buffer> = new Fifo();
  readonly #ahead: Fifo<Buffer> = new Fifo();
  unreadBytes = 0;
  #aheadBytes = 0;
  #arrived = 0;
  #read = 0;
  #acknowledged = 0;
  #readAcknowledged = 0;
  #paused = false;
  /** The peer's end is here. */
  peerEnded = false;
  /** The reader has been told of it. */
  endTold = false;

  constructor(end: SystemEnd) {
    this.#end = end;
  }

  add(bytes: Buffer): void {
    this.#unread.push(bytes);
    this.unreadBytes += bytes.length;
    this.#arrived += bytes.length;
    this.pump();
    this.#acknowledge();
  }

  /** The peer's end has arrived. */
  end(): void {
    this.peerEnded = true;
    this.pump();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#end.net.clock.soon(() => {
      this.pump();
      this.#acknowledge();
    });
  }

  /** Deliver what can be delivered. */
  pump(): void {
    const end = this.#end;
    while (end.stream.reads) {
      if (this.#paused) {
        if (!this.#readsOn || this.unreadBytes === 0) break;
        const chunk = this.#take();
        this.#ahead.push(chunk);
        this.#aheadBytes += chunk.length;
      } else if (this.#ahead.size > 0) {
        const chunk = this.#ahead.shift();
        this.#aheadBytes -= chunk.length;
        this.#deliver(chunk);
      } else if (this.unreadBytes > 0) {
        this.#deliver(this.#take());
      } else {
        break;
      }
    }
    if (!end.stream.reads || this.unreadBytes > 0 || (this.#paused && !this.#readsOn)) return;
    if (this.peerEnded) {
      if (this.#paused || this.endTold) return;
      this.endTold = true;
      end.stream.sink.ended();
      end.stream.sideEnded();
    } else if (end.lostBy !== undefined) {
      end.stream.fail('read', end.lostBy);
    }
  }

  /** The connection is given up with an error: deliver what Node holds, whether the reader has paused or not. */
  drain(): void {
    while (this.#ahead.size > 0) this.#deliver(this.#ahead.shift());
    this.#aheadBytes = 0;
  }

  linkFree(): void {
    this.#acknowledge();
  }

  /** Does Node go on reading although the reader has paused? */
  get #readsOn(): boolean {
    return this.#end.accepted && this.#aheadBytes < NODE_HIGH_WATER_MARK;
  }

  #deliver(chunk: Buffer): void {
    if (!this.#end.stream.sink.received(chunk, chunk.length, false)) this.#paused = true;
  }

  /** What one read of Node's gives. */
  #take(): Buffer {
    let chunk = this.#unread.shift();
    if (this.#unread.size > 0) {
      const chunks = [chunk];
      let size = chunk.length;
      while (this.#unread.size > 0 && size + this.#unread.peek().length <= READ_SIZE) {
        chunk = this.#unread.shift();
        chunks.push(chunk);
        size += chunk.length;
      }
      chunk = chunks.length === 1 ? chunk : Buffer.concat(chunks, size);
    }
    this.unreadBytes -= chunk.length;
    this.#read += chunk.length;
    return chunk;
  }

  /** Tell the peer's system what is here, and how much of it has been read. */
  #acknowledge(): void {
    const arrived = this.#arrived;
    const read = this.#read;
    if (arrived === this.#acknowledged && read === this.#readAcknowledged) return;
    const { peer, net, outgoing } = this.#end;
    if (peer === undefined || !peer.connected) return;
    const { link } = outgoing;
    if (link.blocked) {
      link.wait(this);
      return;
    }
    this.#acknowledged = arrived;
    this.#readAcknowledged = read;
    peer.sending.acknowledged(arrived, read, net.clock.now() + link.latency.minMs);
  }
}
