// bridge-requests.ts: the events of a bridge that are on the other side, and whoever waits for them here.
//
// A request lasts until its answer has come; if somebody here is interested in what the event causes, until it is complete over there. When the wait is given up (the handler is
// killed) the other side is told, and what it answers is for nobody.
//
// Invariants, between any two steps:
//   an open request  implies  its result is not set, or its event here is held open and not complete over there
//   lost is defined  implies  no request is open

import { AsyncResult } from '../core/async-result.ts';
import type { Op } from '../core/op.ts';
import type { BridgeMessage } from './bridge-message.ts';
import { type BridgeLostError, RemoteEventError, type RemoteFailure } from './errors.ts';
import { type Firing, ManyResults } from './firing.ts';

/** An event that is over there. */
class Request {
  readonly result: AsyncResult<readonly unknown[]> = new AsyncResult({ name: 'from the other side of a bridge' });
  /** Lets the event here be complete; undefined if nobody is interested in that. */
  readonly release: (() => void) | undefined;
  constructor(release: (() => void) | undefined) {
    this.release = release;
  }
}

/** A failure from over there, on its way to the greenlet that makes an error of it, with a stack of its own. */
class RemoteFailed {
  readonly failure: RemoteFailure;
  constructor(failure: RemoteFailure) {
    this.failure = failure;
  }
}

/** What is known of an event whose message, or the answer to it, could not be read. */
const UNREAD: RemoteFailure = {
  name: 'EventUnread',
  message: 'the event, or the answer to it, could not be read on its way: it may have been handled or not',
  code: 'ERR_EVENT_UNREAD',
};

export class BridgeRequests {
  readonly #post: (message: BridgeMessage) => void;
  readonly #open: Map<number, Request> = new Map();
  #ids = 0;
  lost: BridgeLostError | undefined = undefined;

  constructor(post: (message: BridgeMessage) => void) {
    this.#post = post;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The number of the last event that was sent. */
  get last(): number {
    return this.#ids;
  }

  /** Was an event of that number ever sent? */
  knows(id: number): boolean {
    return id <= this.#ids;
  }

  /** Send an event and wait for its results. */
  *send(firing: Firing, channels: readonly string[]): Op<ManyResults> {
    if (this.lost !== undefined) throw this.lost;
    this.#ids += 1;
    const id = this.#ids;
    const request = new Request(firing.following?.hold());
    this.#open.set(id, request);
    const { priority, event } = firing;
    const hops = (firing.route?.hops ?? 0) + 1;
    const complete = request.release !== undefined;
    this.#post({ kind: 'fire', id, name: event.kind.name, args: event.args, channels, priority, hops, complete });
    try {
      return new ManyResults(yield* request.result.get());
    } catch (error) {
      throw error instanceof RemoteFailed ? new RemoteEventError(String(event), error.failure) : error;
    } finally {
      if (!request.result.ready) this.#giveUp(id, request);
    }
  }

  succeeded(id: number, results: readonly unknown[]): void {
    this.#settled(id)?.result.set(results);
  }

  failed(id: number, failure: RemoteFailure): void {
    this.#settled(id)?.result.setError(new RemoteFailed(failure));
  }

  /** It could not even be sent. */
  unsendable(id: number, error: unknown): void {
    this.#settled(id)?.result.setError(error);
    this.completed(id);
  }

  /** Over there it is complete. */
  completed(id: number): void {
    const request = this.#open.get(id);
    // Not before its answer, whatever the other side says.
    if (request?.result.ready !== true) return;
    this.#open.delete(id);
    request.release?.();
  }

  /** The other side has told of all events up to number `upTo`: those that are not `open` there have ended. What this side does not know of that has been lost. */
  ended(upTo: number, open: ReadonlySet<number>): void {
    for (const id of [...this.#open.keys()]) {
      if (id > upTo || open.has(id)) continue;
      this.failed(id, UNREAD);
      this.completed(id);
    }
  }

  /** Nothing comes any more. */
  loseAll(error: BridgeLostError): void {
    this.lost = error;
    for (const { result, release } of this.#open.values()) {
      if (!result.ready) result.setError(error);
      release?.();
    }
    this.#open.clear();
  }

  /** The request that has its answer now; undefined if there is none, or it had one before. */
  #settled(id: number): Request | undefined {
    const request = this.#open.get(id);
    if (request === undefined || request.result.ready) return undefined;
    if (request.release === undefined) this.#open.delete(id);
    return request;
  }

  #giveUp(id: number, request: Request): void {
    this.#open.delete(id);
    request.release?.();
    this.#post({ kind: 'cancel', id });
  }
}
