// gathered.ts: what one end of a channel has gathered in a turn is posted when its greenlets have run.
//
// Outside a turn (ordinary code that sends) it asks for one, so nothing stays behind.

import type { Outlet } from '../../core/outlets.ts';
import type { Scheduler } from '../../core/scheduler.ts';

/** What is posted when the greenlets of a turn have run. */
export class Gathered implements Outlet {
  nextOutlet: Outlet | undefined = undefined;
  #queued = false;
  readonly #scheduler: Scheduler;
  readonly #post: () => void;
  constructor(scheduler: Scheduler, post: () => void) {
    this.#scheduler = scheduler;
    this.#post = post;
  }
  queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#scheduler.handOverLater(this);
  }
  handOver(): void {
    this.#queued = false;
    this.#post();
  }
}
