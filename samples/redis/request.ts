// request.ts: a command as an Op: what it sends, how its reply becomes a value, and who sends it.
//
// It is a description that has not started, like every Op, so it may be started any number of times, by several greenlets at once; each start
// sends it again. Starting it involves no generator: it is handed to the sender, which returns the iterator of the one wait for the reply.

import type { Op } from 'tendril';
import type { Wire } from './resp-encoder.ts';
import type { Reply } from './resp-values.ts';

export type OpIterator<T> = ReturnType<Op<T>[typeof Symbol.iterator]>;

/** Makes the value of a request from its reply, which is no error. */
export type Shape<T> = (reply: Reply) => T;

export interface Sender {
  /** Start `request` in the current greenlet. */
  start(request: Request<unknown>): OpIterator<unknown>;
}

export class Request<T> implements Op<T> {
  readonly sender: Sender;
  readonly name: string;
  readonly wire: Wire;
  readonly asBuffers: boolean;
  readonly shape: Shape<T> | undefined;
  /** How many replies come before the one that counts: those of MULTI and of each queued command. */
  readonly repliesBefore: number;

  constructor(
    sender: Sender,
    name: string,
    wire: Wire,
    asBuffers: boolean,
    shape: Shape<T> | undefined,
    repliesBefore = 0,
  ) {
    this.sender = sender;
    this.name = name;
    this.wire = wire;
    this.asBuffers = asBuffers;
    this.shape = shape;
    this.repliesBefore = repliesBefore;
  }

  [Symbol.iterator](): OpIterator<T> {
    return this.sender.start(this as Request<unknown>) as OpIterator<T>;
  }
}
