// debugger.ts: a component that writes a line for each event, and for each failure: what goes on in a tree, in the order in which it does.
//
// It says nothing of time, so that what it writes can be compared. It handles nothing: a failure that only it has seen is reported as if it were not there.
// Source: circuits' Debugger.

import { typeError } from '../core/bad-argument.ts';
import { printable } from '../core/errors.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, own } from '../io/address.ts';
import { Component } from './component.ts';
import { type AnyEventType, type EventKind, kindOf } from './event-type.ts';
import type { Firing } from './firing.ts';
import { anyEvent, exception, type FailureOrigin } from './lifecycle.ts';

export interface DebuggerOptions {
  /** Called with each line, which has no line end. */
  readonly write: (line: string) => void;
  /** What is not written; nothing if not given. */
  readonly ignore?: readonly AnyEventType[] | undefined;
}

/** Writes a line for each event and each failure. `new Debugger({ write: console.log }).register(app)`. */
export class Debugger extends Component {
  readonly #write: (line: string) => void;
  readonly #ignored: ReadonlySet<EventKind>;
  /** Set it to false to be silent for a while. */
  enabled = true;

  /** @throws TypeError if `write` is no function, or `ignore` no list of event types. */
  constructor(options: DebuggerOptions) {
    super({ name: 'Debugger' });
    const given = checkOptions(options, 'Debugger');
    const write = own<(line: string) => void>(given, 'write');
    if (typeof write !== 'function') throw typeError(`Debugger: write must be a function, not ${nameOf(write)}`);
    this.#write = write;
    this.#ignored = new Set(
      (own<readonly AnyEventType[]>(given, 'ignore') ?? []).map((type) => kindOf(type, 'Debugger: ignore')),
    );
    // Before all others: what is stopped is seen too.
    this.on(anyEvent, this.#note, { priority: Number.MAX_VALUE });
  }

  #note(firing: Firing): void {
    if (!this.enabled || this.#ignored.has(firing.kind)) return;
    if (firing.kind !== exception.kind) {
      this.#write(String(firing));
      return;
    }
    const [error, { component, firing: failed, handler }] = firing.event.args as [unknown, FailureOrigin];
    this.#write(`${handler} of ${component} failed${failed === undefined ? '' : ` at ${failed}`}: ${printable(error)}`);
  }
}
