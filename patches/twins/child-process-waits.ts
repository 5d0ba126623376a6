// child-process-waits.ts: the waits for what Node tells of a child by events: its messages, and that it could not be started.
//
// Node tells of each once; here messages that nobody has taken are kept. Each wait counts as one for something outside, because the handles of a child do not
// keep the process alive by themselves.
//
// Invariant, between any two steps:
//   somebody waits for a message  implies  none is kept

import type { ChildProcess as NodeChild, SendHandle, Serializable } from 'node:child_process';
import { ClosedError } from '../../core/errors.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { readyResult } from '../../core/kernel.ts';
import type { WaitDescription } from '../../core/op.ts';
import { atCaller } from './net-caller.ts';
import { Happening } from './net-happening.ts';

/** What a child has sent, and the handle that came with it. */
export type Message = [message: Serializable, handle: SendHandle | undefined];

/** What a child has sent and nobody has taken. */
export class Messages {
  readonly name: string;
  readonly ended: Happening<void>;
  readonly #queue: Message[] = [];
  readonly #waiting: Set<Ticket<Message>> = new Set();

  constructor(node: NodeChild, name: string) {
    this.name = name;
    this.ended = new Happening('disconnect', name);
    if (node.channel === undefined || node.channel === null) {
      this.ended.set();
      return;
    }
    node.on('message', (message, handle) => this.#came([message as Serializable, handle]));
    node.on('disconnect', () => {
      this.ended.set();
      for (const ticket of this.#waiting) ticket.rejectWith(() => this.endedError());
      this.#waiting.clear();
    });
  }

  #came(message: Message): void {
    const [oldest] = this.#waiting;
    if (oldest === undefined) {
      this.#queue.push(message);
      return;
    }
    this.#waiting.delete(oldest);
    oldest.resolve(message);
  }

  shift(): Message | undefined {
    return this.#queue.shift();
  }

  add(ticket: Ticket<Message>): void {
    this.#waiting.add(ticket);
    ticket.onRetract = () => {
      this.#waiting.delete(ticket);
      ticket.withdraw();
    };
  }

  endedError(): ClosedError {
    return new ClosedError(`once('message') on ${this.name}: there is no channel, or it was closed`);
  }
}

export class MessageWait extends ExternalWait<Message> {
  readonly #messages: Messages;
  constructor(messages: Messages) {
    super();
    this.#messages = messages;
  }
  override look(): boolean {
    const message = this.#messages.shift();
    if (message !== undefined) {
      readyResult.value = message;
      return true;
    }
    if (this.#messages.ended.outcome !== undefined) throw this.#messages.endedError();
    return false;
  }
  protected begin(ticket: Ticket<Message>): void {
    this.#messages.add(ticket);
  }
  describe(): WaitDescription {
    return { op: "once 'message'", object: this.#messages.name };
  }
}

/** The error of a child that could not be started. Waiting for it marks it as seen. */
export class FailureWait extends ExternalWait<never> {
  readonly #failing: Greenlet<never>;
  constructor(failing: Greenlet<never>) {
    super();
    this.#failing = failing;
  }
  protected begin(ticket: Ticket<never>): void {
    const failing = this.#failing;
    const told = (): void => {
      const { outcome } = failing;
      ticket.rejectWith(() => (outcome?.ok === false ? atCaller(outcome.error) : undefined));
    };
    failing.link(told);
    ticket.onRetract = () => {
      failing.unlink(told);
      ticket.withdraw();
    };
  }
  describe(): WaitDescription {
    return { op: 'wait', object: this.#failing.name };
  }
}

/** A message on its way. */
export class SendWait extends ExternalWait<void> {
  readonly #send: (done: (error: Error | null) => void) => unknown;
  readonly #to: string;
  constructor(send: (done: (error: Error | null) => void) => unknown, to: string) {
    super();
    this.#send = send;
    this.#to = to;
  }
  protected begin(ticket: Ticket<void>): void {
    this.#send((error) => {
      if (error === null || error === undefined) ticket.resolve();
      else ticket.rejectWith(() => atCaller(error));
    });
  }
  describe(): WaitDescription {
    return { op: 'send', object: this.#to };
  }
}
