// process-wait.ts: the wait for a child's exit.
//
// Giving it up has two meanings. A select that took another arm, or a timeout around it, has stopped waiting: nothing happens to the child. A greenlet that is
// killed, or a scope that is cancelled, is not going to look after the child any more: it is told that it was abandoned.
//
// Invariant: scheduler.externalWaits counts each waiter.

import { readyResult } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter, WaitList } from '../core/wait-list.ts';

/** How a child ended: with an exit code, or by a signal; the other one is null. */
export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What is waited for. */
export interface Exiting {
  readonly status: ExitStatus | undefined;
  /** Whoever waited was killed. */
  abandon(): void;
  toString(): string;
}

export class ExitWait extends Wait<ExitStatus> {
  readonly #child: Exiting;
  readonly #waiters: WaitList;
  readonly #stopsWhenKilled: boolean;

  constructor(child: Exiting, waiters: WaitList, stopsWhenKilled: boolean) {
    super();
    this.#child = child;
    this.#waiters = waiters;
    this.#stopsWhenKilled = stopsWhenKilled;
  }

  look(): boolean {
    const { status } = this.#child;
    if (status === undefined) return false;
    readyResult.value = status;
    return true;
  }

  enlist(waiter: Waiter): void {
    this.#waiters.push(waiter);
    waiter.owner().scope.scheduler.externalStarted();
  }

  /** Take out a waiter whose wait has come to an end. */
  retire(waiter: Waiter): void {
    this.#waiters.remove(waiter);
    waiter.owner().scope.scheduler.externalEnded();
  }

  retract(waiter: Waiter): void {
    this.retire(waiter);
    if (!this.#stopsWhenKilled) return;
    const kind = waiter.owner().side?.interrupt?.kind;
    if (kind === 'greenlet' || kind === 'scope') this.#child.abandon();
  }

  describe(): WaitDescription {
    return { op: 'wait', object: this.#child.toString() };
  }
}
