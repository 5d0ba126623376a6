// simulated-watch.ts: when does one end of a connection notice that its peer is out of reach? Never, unless it has sent something or asked for probes.
//
// The two clocks of Linux, run only while something is wrong, so that an idle world stands still:
//   user timeout   something sent is not acknowledged: after a while (tcp_retries2, 924.6 s) the connection is given up with ETIMEDOUT
//   keepalive      nothing outstanding and nothing heard for `keepAliveMs`: ten probes, a second apart, then ETIMEDOUT; a peer that has
//                  forgotten the connection answers the first with RST
// Node hands whole seconds to Linux; less than one leaves Linux' own two hours (measured with strace; the interval and the count are libuv's).

import { Alarm } from './simulated-clock.ts';
import type { SystemEnd } from './simulated-end.ts';

const PROBES_MS = 10_000;
const LINUX_IDLE_MS = 7_200_000;

/** unheard: something sent cannot be acknowledged; silent: nobody can answer a probe; forgotten: the peer will answer one with RST. */
type Trouble = 'unheard' | 'silent' | 'forgotten';

export class Watch {
  readonly #end: SystemEnd;
  readonly #idleMs: number;
  #alarm: Alarm | undefined = undefined;
  #heardAtMs = 0;
  #trouble: Trouble | undefined = undefined;
  /** Since when it is so. */
  #sinceMs = 0;

  constructor(end: SystemEnd, keepAliveMs: number) {
    this.#end = end;
    this.#idleMs =
      keepAliveMs === Number.POSITIVE_INFINITY ? keepAliveMs : Math.floor(keepAliveMs / 1000) * 1000 || LINUX_IDLE_MS;
  }

  /** Something has come from the peer. */
  heard(): void {
    if (this.#idleMs !== Number.POSITIVE_INFINITY) this.#heardAtMs = this.#end.net.clock.now();
  }

  /** Something that matters here may have changed. */
  changed(): void {
    const trouble = this.#find();
    if (trouble === undefined && this.#trouble === undefined) return;
    if (trouble !== this.#trouble) {
      this.#trouble = trouble;
      this.#sinceMs = this.#end.net.clock.now();
      if (trouble === undefined) {
        this.#alarm?.cancel();
        return;
      }
      this.#alarm ??= new Alarm(this.#end.net.clock, () => this.#ring());
      this.#alarm.set(this.#deadlineMs(trouble));
    }
  }

  #ring(): void {
    const trouble = this.#trouble;
    this.changed();
    if (trouble !== this.#trouble || trouble === undefined) return;
    this.#end.lose(trouble === 'forgotten' ? 'ECONNRESET' : 'ETIMEDOUT');
  }

  #deadlineMs(trouble: Trouble): number {
    const { net, outgoing, peer } = this.#end;
    if (trouble === 'unheard') return this.#sinceMs + net.settings.userTimeoutMs;
    const probeAtMs = Math.max(this.#heardAtMs + this.#idleMs, this.#sinceMs);
    if (trouble === 'silent') return Math.max(this.#heardAtMs + this.#idleMs + PROBES_MS, this.#sinceMs);
    return probeAtMs + outgoing.link.latency.minMs + (peer?.outgoing.link.latency.minMs ?? 0);
  }

  #find(): Trouble | undefined {
    const end = this.#end;
    const { peer } = end;
    if (!end.connected || peer === undefined) return undefined;
    const blocked = end.outgoing.link.blocked || peer.outgoing.link.blocked;
    if (blocked && end.sending.outstanding) return 'unheard';
    if (this.#idleMs === Number.POSITIVE_INFINITY) return undefined;
    if (blocked) return 'silent';
    const forgotten = peer.state === 'gone' && !end.receiving.peerEnded && !peer.outgoing.has('rst');
    return forgotten ? 'forgotten' : undefined;
  }
}
