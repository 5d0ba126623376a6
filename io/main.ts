// main.ts: `main(body)`: a program as one greenlet, with signals and an exit status that tell the truth (S16).
//
// The first SIGINT or SIGTERM kills the body: its finally blocks and its scopes do their work, servers stop and drain. When the body has ended, however
// it did, everything that is left is killed. What has not ended DRAIN_MS after the signal, or after an error of the body, is listed and left behind; a
// second signal ends the process at once. It ends with the signal's own status, so that a shell or a supervisor sees what happened; but an error
// that nobody handles, in a cleanup say, comes first.
//
// When the reader of stdout has gone (`program | head`) there is nothing left to do: everything is killed as by a signal, and the status is 0.

import { requireBody } from '../core/body.ts';
import { GreenletKilledError } from '../core/errors.ts';
import { Greenlet } from '../core/greenlet.ts';
import type { Op } from '../core/op.ts';
import { parkedReport } from '../core/quiescence.ts';
import type { Timer } from '../core/timers.ts';
import { codeOf } from './errors.ts';
import { scheduler } from './hub.ts';
import { checkNesting } from './nesting.ts';
import { dropWhenLost } from './stdio-transport.ts';

// Taken at load: patches never reach us.
const { setImmediate } = globalThis;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** Longer than the grace of a server and the shields in its handlers' cleanup. */
const DRAIN_MS = 20_000;

/**
 * Run `body` as the program: handle SIGINT and SIGTERM, end what is left when it ends, and exit with the status that tells how.
 *
 * An error of the body ends the process as an uncaught exception does, after what was left has done its cleanup. With a listener for the hub's `error` event it goes there, and the status is 1
 * all the same, unless `process.exitCode` says otherwise. Returns at once.
 *
 * @throws TypeError if `body` is no function, or what it returns is no Op. @throws NestedProgramError while a worker imports this module for its tasks.
 */
export function main(body: () => Op<unknown>): void {
  requireBody(body, 'main');
  checkNesting('main() was called');
  const greenlet = new Greenlet(body);
  greenlet.rare().name = 'main';
  let received: NodeJS.Signals | undefined;
  let outputLost = false;
  let failure: { readonly error: unknown } | undefined;

  const onSignal = (signal: NodeJS.Signals): void => {
    if (received !== undefined) {
      dieOf(signal);
      return;
    }
    received = signal;
    limitDrain();
    greenlet.kill(signal);
  };
  const limitDrain = (): void => {
    if (drain.slot !== -1) return;
    scheduler.timeouts.arm(drain, DRAIN_MS);
    scheduler.timersChanged();
  };
  const drain: Timer = {
    order: 0,
    slot: -1,
    due: () => {
      const since = received ?? (outputLost ? 'the reader of stdout has gone' : 'main has failed');
      process.stderr.write(`still alive ${DRAIN_MS} ms after ${since}:\n${parkedReport(scheduler.greenlets())}\n`);
      finish();
      if (outputLost && received === undefined && failure === undefined) process.exit();
    },
  };
  const dieOf = (signal: NodeJS.Signals): void => {
    unlisten();
    // Whoever else listens has had the signal; left in place they would keep it from ending us.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  const unlisten = (): void => {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
  };
  const finish = (): void => {
    scheduler.timeouts.cancel(drain);
    unlisten();
    if (failure !== undefined) {
      // Also for a listener that takes the error: the program has failed.
      process.exitCode ??= 1;
      report(failure.error);
    }
    // After the errors that end the process as uncaught exceptions: they come first, or nobody would ever see them.
    if (received !== undefined) setImmediate(dieOf, received);
  };

  for (const name of SIGNALS) process.on(name, onSignal);
  const report = (error: unknown): void => scheduler.events.error(error, undefined);
  // In a deadlock the body is killed: the error is the deadlock's then.
  scheduler.runs.set(greenlet as Greenlet, report);
  greenlet.link(() => {
    const deadlocked = !scheduler.runs.delete(greenlet as Greenlet);
    const { outcome } = greenlet;
    const asked = received !== undefined || outputLost;
    if (outcome?.ok === false && !deadlocked && !(asked && endedByKill(outcome))) {
      // Told when the others have done their cleanup, because it ends the process.
      failure = { error: outcome.error };
      limitDrain();
    }
    endTheRest(finish);
  });
  watchOutput(() => {
    if (outputLost || greenlet.state === 'done') return;
    outputLost = true;
    limitDrain();
    greenlet.kill('the reader of stdout has gone');
  });
  greenlet.start();
}

/**
 * Have `onLost` called when the reader of stdout has gone. What is still written goes nowhere, without an error: everything is being killed.
 *
 * Any other error of stdout (a full disk, a terminal that was closed) is a warning: console.log would have swallowed it, and no program should end because
 * it cannot log. Errors of stderr there is nobody to tell of.
 */
function watchOutput(onLost: () => void): void {
  let warned = false;
  dropWhenLost(process.stdout);
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error) => {
    if (codeOf(error) === 'EPIPE') {
      onLost();
    } else if (!warned && process.stdout.listenerCount('error') === 1) {
      warned = true;
      process.emitWarning(`stdout: ${error.message}; later errors are not reported`, 'OutputWarning');
    }
  });
}

/** Did the kill end it, and not an error of its cleanup? */
function endedByKill({ killed, error }: { readonly killed: boolean; readonly error: unknown }): boolean {
  return killed && error instanceof GreenletKilledError;
}

/** Kill every detached greenlet, which pass it on to the children of their scopes, and call `done` when the last has ended. */
function endTheRest(done: () => void): void {
  const left = scheduler.root.children();
  let alive = left.length;
  if (alive === 0) {
    done();
    return;
  }
  for (const greenlet of left) {
    greenlet.link(() => {
      const { outcome } = greenlet;
      if (outcome?.ok === false && !endedByKill(outcome)) scheduler.events.error(outcome.error, greenlet);
      alive -= 1;
      if (alive === 0) endTheRest(done);
    });
    greenlet.kill('main has ended');
  }
}
