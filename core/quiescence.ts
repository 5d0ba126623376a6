// quiescence.ts: what to do when nothing can happen any more: a deadlock, a leak, or a world in which only daemons are left.
//
// A deadlock is: a run() has not ended, a non-daemon is parked, none is runnable, and no timer or external wait of anyone is pending. A
// closed world is asked after every turn, a Node process when its loop is empty, so a live server or timer never gives a false alarm.
// The greenlets are killed after the report, so that their finally blocks run.
// Source: Go's "all goroutines are asleep", gevent's LoopExit, with the names that those lack (S11).

import { DeadlockError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { describeOp } from './leaf.ts';
import type { Scheduler } from './scheduler.ts';
import { PARKED } from './status.ts';

const MOST_STACKS = 50;

/** Called by the driver when the host has nothing left to do. */
export function reportStuck(scheduler: Scheduler): void {
  if (scheduler.live === 0) {
    killAllOf(scheduler.greenlets(), 'only daemons were left');
    // A turn that holds the process, as long as their finally blocks still run.
    if (scheduler.runQueue.size > 0) scheduler.atTurnEnd(() => {});
    return;
  }
  if (!scheduler.idle) return;
  const stuck = scheduler.greenlets().filter((greenlet) => !greenlet.daemon && (greenlet.status & PARKED) !== 0);
  const report = parkedReport(stuck);
  if (scheduler.runs.size === 0) {
    if (killAllOf(stuck, 'leaked: nothing can wake it')) scheduler.events.leak(stuck, report);
    return;
  }
  const summary = `deadlock: ${stuck.length} greenlet${stuck.length === 1 ? ' is' : 's are'} parked and nothing can wake ${stuck.length === 1 ? 'it' : 'them'}`;
  const error = new DeadlockError(summary, report, stuck);
  const rejects = [...scheduler.runs.values()];
  scheduler.runs.clear();
  // At the end of the turn in which the killed ones run, so that their finally blocks come before an unhandled rejection ends the program.
  scheduler.atTurnEnd(() => {
    for (const reject of rejects) reject(error);
  });
  killAllOf(stuck, error);
}

/** True if any of them had not been killed before. */
function killAllOf(greenlets: readonly Greenlet[], reason: unknown): boolean {
  let any = false;
  for (const greenlet of greenlets) any = greenlet.kill(reason) || any;
  return any;
}

/** Who waits for what, with parked stacks; equal ones are grouped, and at most 50 stacks are shown in full. */
export function parkedReport(greenlets: readonly Greenlet[]): string {
  const groups = new Map<string, Greenlet[]>();
  for (const greenlet of greenlets) {
    const stack = groups.size < MOST_STACKS ? greenlet.stack() : '';
    const group = groups.get(stack);
    if (group === undefined) groups.set(stack, [greenlet]);
    else group.push(greenlet);
  }
  const lines: string[] = [];
  for (const [stack, members] of groups) {
    for (const member of members.slice(0, MOST_STACKS)) lines.push(`  ${waitLine(member)}`);
    if (members.length > MOST_STACKS) lines.push(`  and ${members.length - MOST_STACKS} more like it`);
    if (stack !== '') lines.push(stack);
  }
  return lines.join('\n');
}

function waitLine(greenlet: Greenlet): string {
  const { waitingOn } = greenlet;
  const label = greenlet.side?.name === undefined ? greenlet.name : `${greenlet.name} (greenlet-${greenlet.id})`;
  if (waitingOn === undefined) return `${label} is ${greenlet.state}`;
  const { holder, ...what } = waitingOn.describe();
  const held = holder === undefined || holder === greenlet ? '' : `, held by ${holder.name}`;
  const created = greenlet.side?.createdAtMs ?? Number.NaN;
  const age = Number.isNaN(created) ? '' : `, ${Math.round(greenlet.scope.scheduler.driver.now() - created)} ms old`;
  return `${label} waits: ${describeOp(what)}${held}${age}`;
}
