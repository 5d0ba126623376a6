// idle-links.ts: connections that have done their work and wait for the next.
//
// Nobody reads them meanwhile, so one that the server has closed is noticed when it is taken.

import type { Op } from 'tendril';
import type { RespLink } from './resp-link.ts';

const MOST = 8;

export class IdleLinks {
  readonly #links: RespLink[] = [];

  /** One that is still good, if there is one. Never waits. */
  *take(): Op<RespLink | undefined> {
    for (let link = this.#links.pop(); link !== undefined; link = this.#links.pop()) {
      let usable = false;
      try {
        usable = yield* link.isQuiet();
      } finally {
        // Also when a kill comes here: it is in nobody's list any more.
        if (!usable) link.close();
      }
      if (usable) return link;
    }
    return undefined;
  }

  put(link: RespLink): void {
    if (this.#links.length < MOST) this.#links.push(link);
    else link.close();
  }

  close(): void {
    for (const link of this.#links.splice(0)) link.close();
  }
}
