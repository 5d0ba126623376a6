// cycle.ts: a cycle of owned locks and joins is thrown at once, in the greenlet that would close it.
//
// Only waits with one known blocker count (a lock's owner, a joined greenlet). A member that has a finite timeout, or waits in a select,
// can get out by itself, so then there is no cycle. At most 64 links are walked: a longer chain is left to the deadlock report.
// Source: S11.

import { DeadlockError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { describeOp } from './leaf.ts';
import { PARKED } from './status.ts';
import type { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

const MOST_LINKS = 64;

/** @throws DeadlockError if `waiter`, by waiting for `op`, would wait for itself. */
export function refuseCycle(waiter: Waiter, op: Wait<unknown>): void {
  const me = waiter.owner();
  if (waiter !== me) return;
  const first = op.blocker();
  // Nearly always: it waits for nobody itself. No list of the members is made for that.
  if (first === undefined || (first !== me && (first.status & PARKED) === 0)) return;
  refuseLongCycle(me, op);
}

function refuseLongCycle(me: Greenlet, op: Wait<unknown>): void {
  const members: Greenlet[] = [me];
  let wait: Wait<unknown> | undefined = op;
  for (let links = 0; links < MOST_LINKS; links += 1) {
    const next: Greenlet | undefined = wait?.blocker();
    if (next === undefined) return;
    if (next === me) break;
    members.push(next);
    // One that is queued to be killed, or to start its wait anew, waits for nobody now.
    wait = (next.status & PARKED) === 0 ? undefined : next.waitingOn;
    if (links === MOST_LINKS - 1) return;
  }
  if (members.some(canGetOut)) return;
  const lines = members.map((member) => {
    const { holder, ...what } = (member === me ? op : (member.waitingOn as Wait<unknown>)).describe();
    // Only a lock that several read has no one holder, and whoever waits to write then has no blocker: that is no cycle.
    return `  ${member.name} waits for ${describeOp(what)} (held by ${(holder as Greenlet).name})`;
  });
  throw new DeadlockError(`${me.name} would wait for itself`, lines.join('\n'), members);
}

function canGetOut(member: Greenlet): boolean {
  for (let frame = member.frame; frame !== undefined; frame = frame.outer) {
    // A timer that is armed: a finite timeout, or a shield whose grace has begun.
    if (frame.slot !== -1) return true;
  }
  return false;
}
