// process-ending.ts: how a child is made to end: a signal that asks, a grace, SIGKILL.
//
// A child with a process group of its own is signalled as a group, so that what it has started goes too. The group can outlive its leader; nothing tells
// when its last member has gone but asking, so while somebody waits for that it is asked again and again. To kill() a zombie is a member: in a container
// whose process 1 reaps no orphans (Node is such a one) it would be for ever. Linux tells in /proc who is one; elsewhere the grace is waited out then.
//
// The number of a group is not given to another one while a member of it lives. Once it was seen empty it is never signalled again.
//
// Invariant: the timer is armed only while a grace runs.

import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import type { Op } from '../core/op.ts';
import { sleep } from '../core/sleep.ts';
import type { Timer } from '../core/timers.ts';
import { codeOf } from './errors.ts';
import { scheduler } from './hub.ts';
import { SignalError } from './process-errors.ts';

const LONGEST_PAUSE_MS = 64;
/** Whoever has not gone after this pause may be a zombie. It costs some microseconds for each process of the system to find out. */
const LONG_PAUSE_MS = 16;

// Taken at load: patches never reach us.
const { kill } = process;
const { readdirSync, readFileSync } = fs;

export class Ending implements Timer {
  order = 0;
  slot = -1;
  /** When the grace is over, if there is one. */
  #deadlineMs = Number.POSITIVE_INFINITY;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #name: string;
  /** The child leads a group of its own. */
  readonly grouped: boolean;
  #groupGone = false;
  #killed = false;
  /** The signals that have asked it to end. To many programs a second one means: at once. */
  readonly #asked: Set<NodeJS.Signals> = new Set();
  /** What Node says, as an event, of a signal that could not be sent. */
  #refused: unknown = undefined;

  constructor(child: ChildProcess, pid: number, name: string, grouped: boolean) {
    this.#child = child;
    this.#pid = pid;
    this.#name = name;
    this.grouped = grouped;
    child.on('error', (error) => {
      this.#refused = error;
    });
  }

  /** Send `signal` to the child, or to its whole group. False if there is nobody any more. @throws SignalError */
  send(signal: NodeJS.Signals, group: boolean): boolean {
    const sent = group ? this.#sendToGroup(signal) : this.#sendToChild(signal);
    if (sent && group === this.grouped) this.#asked.add(signal);
    return sent;
  }

  #sendToChild(signal: NodeJS.Signals): boolean {
    this.#refused = undefined;
    const sent = this.#child.kill(signal);
    if (this.#refused !== undefined) throw this.#error(signal, this.#name, this.#refused);
    return sent;
  }

  #sendToGroup(signal: NodeJS.Signals | 0): boolean {
    if (this.#groupGone) return false;
    try {
      kill.call(process, -this.#pid, signal);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw this.#error(String(signal), `the group of ${this.#name}`, error);
      this.#groupGone = true;
      return false;
    }
  }

  #error(signal: string, what: string, error: unknown): SignalError {
    return new SignalError(what, signal, codeOf(error) ?? 'ERR_SIGNAL', error);
  }

  /** Ask the child to end, once, and kill it when `graceMs` are over; an earlier end of an earlier grace stays. @throws SignalError */
  begin(signal: NodeJS.Signals, graceMs: number): void {
    if (graceMs === 0) {
      this.#kill();
      return;
    }
    if (!this.#asked.has(signal) && !this.send(signal, this.grouped)) return;
    if (graceMs === Number.POSITIVE_INFINITY || this.#killed) return;
    const deadlineMs = scheduler.driver.now() + graceMs;
    if (this.slot !== -1 && this.#deadlineMs <= deadlineMs) return;
    this.#deadlineMs = deadlineMs;
    scheduler.timeouts.cancel(this);
    scheduler.timeouts.arm(this, graceMs);
    scheduler.timersChanged();
  }

  /** The grace is over. */
  due(): void {
    try {
      this.#kill();
    } catch {
      // The first signal was taken and this one is refused: there is nothing left to try.
    }
  }

  #kill(): void {
    this.cancel();
    this.send('SIGKILL', this.grouped);
    this.#killed = true;
  }

  /** SIGKILL to whom it may concern, without a word. */
  finish(): void {
    this.due();
  }

  /** The child has exited: whoever is left of its group is another matter. */
  exited(): void {
    if (!this.grouped) this.cancel();
  }

  cancel(): void {
    scheduler.timeouts.cancel(this);
  }

  /** Wait until the group has gone, or was sent SIGKILL. */
  *groupGone(): Op<void> {
    if (!this.grouped) return;
    for (let pauseMs = 1; !this.#killed && this.#sendToGroup(0); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (pauseMs >= LONG_PAUSE_MS && onlyZombies(this.#pid)) break;
      yield* sleep(pauseMs);
    }
    this.cancel();
  }
}

/** Has every member of `group` ended? False if that cannot be told. */
function onlyZombies(group: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return readdirSync('/proc').every((name) => !/^\d+$/.test(name) || !livesIn(group, name));
  } catch {
    return false;
  }
}

function livesIn(group: number, pid: string): boolean {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return false; // It has gone meanwhile.
  }
  // The name of the program stands in brackets and may hold anything, brackets too.
  const [state, , ofGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(ofGroup) === group && state !== 'Z' && state !== 'X';
}
