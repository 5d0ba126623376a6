// handler.ts: one handler of a component: what it listens to, where, when it comes in turn, and what runs it.
//
// Who runs it is written down with it, and nothing is guessed: a generator function, and any Op that a plain function returns, runs as a greenlet here; a plain function runs to its end
// where events are dispatched; `{executor, task}` runs in that executor, while a greenlet here waits for its result.
// Source: circuits' handler decorator. There a method's name is the name of its event, unless a decorator says otherwise.

import { typeError } from '../core/bad-argument.ts';
import { requireBody } from '../core/body.ts';
import { nameOf, type Op } from '../core/op.ts';
import type { Executor } from '../executors/executor.ts';
import type { Task } from '../executors/tasks.ts';
import { checkOptions, own, ownText } from '../io/address.ts';
import type { Component } from './component.ts';
import { checkChannel, type EventChannel, type EventKind } from './event-type.ts';
import { anyEvent } from './lifecycle.ts';

/** What a handler may return: a result, nothing, or an Op that gives one of these. An object that is iterable is an Op, unless it is a collection of the language. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing has the type void
export type HandlerResult<R> = R | undefined | void | Op<R | undefined | void>;

/** A handler: called with the event's arguments, and with its component as `this`. */
export type HandlerFunction<C, A extends readonly unknown[], R> = (this: C, ...args: A) => HandlerResult<R>;

/** A handler that runs elsewhere: `task`, with the event's arguments, in `executor`. */
export interface TaskHandler<A extends readonly unknown[], R> {
  readonly executor: Pick<Executor, 'submit'>;
  readonly task: Task<A, R>;
}

export interface HandlerOptions {
  /** Where it listens; the channel of its component if not given, and `'*'` everywhere. */
  readonly channel?: EventChannel | undefined;
  /** Higher ones are begun first; 0 if not given. Those of one priority in the order in which they were registered. */
  readonly priority?: number | undefined;
  /** Shown in reports; the function's name if not given. */
  readonly name?: string | undefined;
}

/** How a handler is run. */
export type HandlerMode = 'plain' | 'greenlet';

/** One registered handler. @internal */
export class Handler {
  readonly component: Component;
  readonly kind: EventKind;
  /** Does it listen to every event? A field: it is asked for each handler of each event. */
  readonly forAll: boolean;
  readonly channel: EventChannel;
  readonly priority: number;
  readonly name: string;
  readonly mode: HandlerMode;
  readonly body: (...args: readonly unknown[]) => unknown;
  /** Its place among those of one priority; given anew when it comes into another tree. */
  order = 0;
  removed = false;

  constructor(component: Component, kind: EventKind, given: unknown, options: unknown) {
    const where = `on(${kind.name})`;
    const own_ = checkOptions(options, where);
    const { mode, body, name } = runnerOf(given, where);
    this.component = component;
    this.kind = kind;
    this.forAll = kind === anyEvent.kind;
    this.channel = own<EventChannel>(own_, 'channel') ?? component.channel;
    checkChannel(this.channel, where);
    this.priority = ownPriority(own_, where);
    this.mode = mode;
    this.body = body;
    this.name = ownText(own_, 'name', where) ?? (name === '' ? `the handler of ${kind.name}` : name);
  }
}

/** The priority option, or 0. @throws TypeError if it is no finite number. @internal */
export function ownPriority(options: object, where: string): number {
  const priority = own<unknown>(options, 'priority') ?? 0;
  if (typeof priority === 'number' && Number.isFinite(priority)) return priority;
  throw typeError(`${where}: priority must be a finite number, not ${nameOf(priority)}`);
}

interface Runner {
  readonly mode: HandlerMode;
  readonly body: (...args: readonly unknown[]) => unknown;
  readonly name: string;
}

function runnerOf(given: unknown, where: string): Runner {
  if (typeof given === 'object' && given !== null && 'task' in given) return taskRunner(given, where);
  if (typeof given !== 'function')
    throw typeError(
      `${where} takes a handler: a function, a generator function or {executor, task}, not ${nameOf(given)}`,
    );
  requireBody(given, where);
  const generator = Object.prototype.toString.call(given) === '[object GeneratorFunction]';
  return { mode: generator ? 'greenlet' : 'plain', body: given as Runner['body'], name: given.name };
}

function taskRunner(given: object, where: string): Runner {
  const { executor, task } = given as Partial<TaskHandler<never, unknown>>;
  if (typeof executor?.submit !== 'function')
    throw typeError(`${where}: executor must be an executor of tendril/executors, not ${nameOf(executor)}`);
  if (typeof task?.body !== 'function')
    throw typeError(`${where}: task must be one that defineTasks gives, not ${nameOf(task)}`);
  return {
    mode: 'greenlet',
    body: (...args) => executor.submit(task as never, ...(args as never[])),
    name: task.name,
  };
}
