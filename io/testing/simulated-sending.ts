// simulated-sending.ts: the sending side of one end of a connection: what Node holds, what the system has taken, what is on its way.
//
// Bytes go through three stages. Node holds what the system has not taken: the write that is under way, and those behind it, which become one
// write when it is done. So `unsent` falls by whole writes and not by bytes: measured. The system takes what fits into its send buffer, and keeps
// it there until the peer's system has it (its acknowledgement takes the time of the way back). It sends what fits into the peer's receive
// buffer: so a peer that does not read stops us in the end.
//
// Acknowledgements cost no timer of their own: they stand in a list with the time at which they are here, and are looked at when we write. Only who has
// to wait for one sets an alarm.
//
// Invariants:
//   chunks hold exactly what has not been transmitted: first the `accepted` bytes, then what Node holds
//   requestLeft > 0  implies  the send buffer is full, or a short write was chosen
//   the alarm is set  implies  something waits and an acknowledgement is on its way

import { Alarm } from './simulated-clock.ts';
import type { SystemEnd } from './simulated-end.ts';
import type { Flow } from './simulated-flow.ts';

/** What one packet carries at most. */
const MOST_IN_PACKET = 65_536;

interface Acknowledgement {
  readonly atMs: number;
  /** How much has arrived, and how much of that has been read, since the beginning. */
  readonly arrived: number;
  readonly read: number;
}

export class Sending {
  readonly #end: SystemEnd;
  readonly #flow: Flow;
  #chunks: Buffer[] = [];
  #accepted = 0;
  #transmitted = 0;
  #arrived = 0;
  #read = 0;
  #request = 0;
  #requestLeft = 0;
  #behind = 0;
  #acknowledgements: Acknowledgement[] = [];
  #alarm: Alarm | undefined = undefined;
  #ending = false;
  /** Our end is behind what the system has taken: Node is done with it. */
  ended = false;
  /** Our end is on its way. */
  endSent = false;

  constructor(end: SystemEnd, flow: Flow) {
    this.#end = end;
    this.#flow = flow;
  }

  /** What the system has not taken, by whole writes. */
  get unsent(): number {
    return this.#request + this.#behind;
  }

  /** Does Node wait for the system to take something, or to end? */
  get waits(): boolean {
    return this.#request > 0;
  }

  /** Has anything been written that the peer's system has not acknowledged? */
  get outstanding(): boolean {
    this.#settle();
    return this.#accepted > 0 || this.#transmitted > this.#arrived || (this.endSent && this.#flow.has('fin'));
  }

  write(bytes: Buffer): void {
    this.#chunks.push(bytes);
    if (this.#request > 0) {
      this.#behind += bytes.length;
    } else {
      this.#request = bytes.length;
      this.#requestLeft = bytes.length;
    }
    this.#settle();
    this.#accept();
    this.#transmit();
    this.#await();
  }

  /** Our end comes behind what was written. */
  end(): void {
    this.#ending = true;
    this.#accept();
    this.#transmit();
  }

  /** Node is about to let go: what has room is taken now. A short write is slow, but no system refuses what it has room for. */
  takeWhatFits(): void {
    this.#settle();
    const room = this.#end.net.settings.sendBuffer - this.#accepted - (this.#transmitted - this.#arrived);
    this.#accepted += Math.min(this.#requestLeft + this.#behind, Math.max(room, 0));
    this.#requestLeft = 0;
    this.#behind = 0;
    this.#transmit();
  }

  /** Node lets go of what the system has not taken. */
  drop(): void {
    this.#request = 0;
    this.#requestLeft = 0;
    this.#behind = 0;
    let kept = 0;
    const { length } = this.#chunks;
    for (let index = 0; index < length; index += 1) {
      const chunk = this.#chunks[index] as Buffer;
      if (kept + chunk.length > this.#accepted) {
        if (kept < this.#accepted) this.#chunks[index] = chunk.subarray(0, this.#accepted - kept);
        this.#chunks.length = kept < this.#accepted ? index + 1 : index;
        return;
      }
      kept += chunk.length;
    }
  }

  /** Forget everything: the connection is gone. What Node holds it still holds, until it has told so. */
  purge(): void {
    this.#chunks = [];
    this.#accepted = 0;
    this.#arrived = this.#transmitted;
    this.#acknowledgements = [];
    this.#alarm?.cancel();
  }

  /** The peer's system says what it has got, and what was read of it; we hear of it at `atMs`. */
  acknowledged(arrived: number, read: number, atMs: number): void {
    const last = this.#acknowledgements.at(-1);
    const heardMs = last === undefined ? atMs : Math.max(atMs, last.atMs);
    this.#acknowledgements.push({ atMs: heardMs, arrived, read });
    this.#await();
  }

  readonly #proceed = (): void => {
    if (!this.#end.connected) return;
    this.#settle();
    const ended = this.ended;
    const taken = this.#accept();
    this.#transmit();
    this.#await();
    if (taken) this.#end.stream.sink.taken();
    if (this.ended && !ended) this.#end.stream.sideEnded();
  };

  /** Hear what has been acknowledged by now. */
  #settle(): void {
    const acknowledgements = this.#acknowledgements;
    if (acknowledgements.length === 0) return;
    const nowMs = this.#end.net.clock.now();
    let heard = 0;
    while (heard < acknowledgements.length && (acknowledgements[heard] as Acknowledgement).atMs <= nowMs) heard += 1;
    if (heard === 0) return;
    const { arrived, read } = acknowledgements[heard - 1] as Acknowledgement;
    this.#arrived = arrived;
    this.#read = read;
    acknowledgements.splice(0, heard);
  }

  /** Let the system take what it has room for, or a part of that. True if a write of Node's is done by that. */
  #accept(): boolean {
    let done = false;
    while (this.#request > 0) {
      const room = this.#end.net.settings.sendBuffer - this.#accepted - (this.#transmitted - this.#arrived);
      const fits = Math.min(this.#requestLeft, Math.max(room, 0));
      const taken = this.#end.net.segments.shortWrite(fits);
      this.#accepted += taken;
      this.#requestLeft -= taken;
      if (this.#requestLeft > 0) {
        if (taken < fits) this.#end.net.clock.soon(this.#proceed);
        break;
      }
      done = true;
      this.#request = this.#behind;
      this.#requestLeft = this.#behind;
      this.#behind = 0;
    }
    if (this.#request === 0 && this.#ending) this.ended = true;
    return done;
  }

  #transmit(): void {
    const { net } = this.#end;
    while (this.#accepted > 0) {
      const window = net.settings.receiveBuffer - (this.#transmitted - this.#read);
      if (window <= 0) return;
      const chunk = this.#chunks[0] as Buffer;
      const fits = Math.min(chunk.length, this.#accepted, window, MOST_IN_PACKET);
      const size = net.segments.shortRead(fits);
      if (size === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(size);
      this.#accepted -= size;
      this.#transmitted += size;
      this.#flow.send('data', size === chunk.length ? chunk : chunk.subarray(0, size));
    }
    if (!this.ended || this.endSent) return;
    this.endSent = true;
    this.#flow.send('fin', undefined);
    this.#end.settle();
  }

  /** If anything waits for an acknowledgement, hear it when it comes. */
  #await(): void {
    const next = this.#acknowledgements[0];
    if (next === undefined || (this.#request === 0 && this.#accepted === 0)) return;
    this.#alarm ??= new Alarm(this.#end.net.clock, this.#proceed);
    if (!this.#alarm.armed) this.#alarm.set(next.atMs);
  }
}
