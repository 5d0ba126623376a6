// signals.ts: waiting for signals that the operating system sends to this process.
//
// `waitSignal` listens while it waits; `onSignal` is a channel that misses nothing until it is closed. However many listen to a signal, Node has one listener
// of ours for it, from the first to the last: while there is one the system's own reaction to the signal (mostly, to end us) is off.
//
// main() has its own listeners for SIGINT and SIGTERM. These do not replace them: both hear of the signal, and main ends the program as ever.
//
// Invariants, between any two steps:
//   Node has our listener for a signal  if and only if  its set in `listening` is there, and not empty
//   scheduler.externalWaits counts each waiter of waitSignal and each open channel: a signal may come at any time
// Source: trio's open_signal_receiver, Go's os/signal (a full channel drops).

import { typeError } from '../core/bad-argument.ts';
import { Channel } from '../core/channel.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { created } from '../core/unstarted.ts';
import { checkSignal } from './process-options.ts';

/** More than this wait in no channel: signals of one kind say the same. */
const MOST_PENDING = 64;

type SignalListener = (signal: NodeJS.Signals) => void;

const listening = new Map<NodeJS.Signals, Set<SignalListener>>();

function heard(signal: NodeJS.Signals): void {
  for (const listener of [...(listening.get(signal) ?? [])]) listener(signal);
}

/** Have `listener` called on each of `names`; the function that is returned ends that. */
function listen(names: readonly NodeJS.Signals[], listener: SignalListener): () => void {
  for (const name of names) {
    const listeners = listening.get(name);
    if (listeners !== undefined) {
      listeners.add(listener);
      continue;
    }
    process.on(name, heard);
    listening.set(name, new Set([listener]));
  }
  return () => {
    for (const name of names) {
      const listeners = listening.get(name);
      if (listeners?.delete(listener) !== true || listeners.size > 0) continue;
      listening.delete(name);
      process.removeListener(name, heard);
    }
  };
}

/** @throws TypeError for no signal, one that does not exist, or one that nobody can listen to. */
function checkNames(names: unknown, where: string): readonly NodeJS.Signals[] {
  const list: readonly unknown[] = Array.isArray(names) ? names : [names];
  if (list.length === 0) throw typeError(`${where} takes at least one signal`, 'ERR_INVALID_ARG_VALUE');
  const checked = list.map((name) => checkSignal(name, `${where}: a signal`));
  for (const name of checked) {
    if (name === 'SIGKILL' || name === 'SIGSTOP') {
      throw typeError(`${where}: nobody can listen to ${name}`, 'ERR_INVALID_ARG_VALUE');
    }
  }
  return [...new Set(checked)];
}

class SignalWait extends ExternalWait<NodeJS.Signals> {
  readonly #names: readonly NodeJS.Signals[];

  constructor(names: readonly NodeJS.Signals[]) {
    super();
    this.#names = names;
  }

  protected begin(ticket: Ticket<NodeJS.Signals>): void {
    const unlisten = listen(this.#names, (signal) => {
      unlisten();
      ticket.resolve(signal);
    });
    ticket.onRetract = () => {
      unlisten();
      ticket.withdraw();
    };
  }

  describe(): WaitDescription {
    return { op: 'waitSignal', object: this.#names.join(' or ') };
  }
}

/** A channel of signals. Closing it takes the listeners away. */
export class SignalChannel extends Channel<NodeJS.Signals> {
  readonly #unlisten: () => void;
  readonly #scheduler: Scheduler;
  /** How many were dropped because 64 were waiting. */
  dropped = 0;

  /** @internal: onSignal makes them. */
  constructor(names: readonly NodeJS.Signals[]) {
    super(MOST_PENDING, { name: `of ${names.join(', ')}` });
    this.#scheduler = requireScheduler();
    this.#unlisten = listen(names, (signal) => {
      if (!this.trySend(signal)) this.dropped += 1;
    });
    this.#scheduler.externalStarted();
    this.#scheduler.timersChanged();
  }

  override close(): void {
    if (this.closed) return;
    this.#unlisten();
    super.close();
    this.#scheduler.externalEnded();
  }
}

/**
 * Wait for the next signal of these; returns its name.
 *
 * Switches. It listens only while it waits: at any other time the signal does what it does without us, which mostly is to end the process. If it throws, it
 * no longer listens.
 *
 * @throws TypeError, at the call, for a signal that does not exist or that nobody can listen to. @throws Killed if the greenlet is killed while it waits.
 */
export function waitSignal(names: NodeJS.Signals | readonly NodeJS.Signals[]): Waitable<NodeJS.Signals> {
  return created(new SignalWait(checkNames(names, 'waitSignal')));
}

/**
 * Collect the names of these signals, from now on, in a channel. Never switches; `close()` ends it.
 *
 * 64 of them wait; more are dropped and counted. While it is open, whoever receives from it is in no deadlock.
 *
 * @throws TypeError for a signal that does not exist or that nobody can listen to. @see https://pkg.go.dev/os/signal#Notify
 */
export function onSignal(names: NodeJS.Signals | readonly NodeJS.Signals[]): SignalChannel {
  return new SignalChannel(checkNames(names, 'onSignal'));
}
