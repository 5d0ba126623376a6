// main.ts: `main(body)`: a program as one greenlet, with signals and an exit status that tell the truth (S16).
//
// The first SIGINT or SIGTERM kills the body: its finally blocks and its scopes do their work, servers stop and drain. When the body has ended, however
// it did, everything that is left is killed. What has not ended DRAIN_MS after the signal is listed and left behind; a second signal ends the
// process at once. It ends with the signal's own status, so that a shell or a supervisor sees what happened.

import { Greenlet } from '../core/greenlet.ts';
import type { Op } from '../core/op.ts';
import { parkedReport } from '../core/quiescence.ts';
import type { Timer } from '../core/timers.ts';
import { scheduler } from './hub.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const DRAIN_MS = 10_000;

/**
 * Run `body` as the program: handle SIGINT and SIGTERM, end what is left when it ends, and exit with the status that tells how.
 *
 * An error of the body ends the process as an uncaught exception does. Returns at once.
 *
 * @throws TypeError if `body` is no function, or what it returns is no Op.
 */
export function main(body: () => Op<unknown>): void {
  const greenlet = new Greenlet(body);
  greenlet.rare().name = 'main';
  let received: NodeJS.Signals | undefined;

  const onSignal = (signal: NodeJS.Signals): void => {
    if (received !== undefined) {
      dieOf(signal);
      return;
    }
    received = signal;
    scheduler.timeouts.arm(drain, DRAIN_MS);
    scheduler.timersChanged();
    greenlet.kill(signal);
  };
  const drain: Timer = {
    deadlineMs: 0,
    order: 0,
    slot: -1,
    due: () => {
      process.stderr.write(`still alive ${DRAIN_MS} ms after ${received}:\n${parkedReport(scheduler.greenlets())}\n`);
      dieOf(received as NodeJS.Signals);
    },
  };
  const dieOf = (signal: NodeJS.Signals): void => {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    process.kill(process.pid, signal);
  };
  const finish = (): void => {
    scheduler.timeouts.cancel(drain);
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    if (received !== undefined) dieOf(received);
  };

  for (const name of SIGNALS) process.on(name, onSignal);
  const failed = (error: unknown): void => scheduler.events.error(error, undefined);
  // In a deadlock the body is killed: the error is the deadlock's then.
  scheduler.runs.set(greenlet as Greenlet, failed);
  greenlet.link(() => {
    const deadlocked = !scheduler.runs.delete(greenlet as Greenlet);
    const { outcome } = greenlet;
    const killedBySignal = received !== undefined && outcome?.killed === true;
    if (outcome?.ok === false && !deadlocked && !killedBySignal) failed(outcome.error);
    endTheRest(finish);
  });
  greenlet.start();
}

/** Kill every greenlet and call `done` when the last has ended. */
function endTheRest(done: () => void): void {
  const left = scheduler.greenlets();
  let alive = left.length;
  if (alive === 0) {
    done();
    return;
  }
  for (const greenlet of left) {
    greenlet.link(() => {
      const { outcome } = greenlet;
      if (outcome?.ok === false && !outcome.killed) scheduler.events.error(outcome.error, greenlet);
      alive -= 1;
      if (alive === 0) endTheRest(done);
    });
    greenlet.kill('main has ended');
  }
}
