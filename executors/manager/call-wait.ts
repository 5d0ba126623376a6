// call-wait.ts: the wait for a manager's reply to one request.
//
// One indivisible wait: it can be an arm of select. Whether a call that was killed or timed out has happened over there cannot be known here; what it
// brought is taken back where that is possible (requests.ts).

import { ExternalWait, type Ticket } from '../../core/external.ts';
import type { WaitDescription } from '../../core/op.ts';

/** One kind of request, and what becomes of its reply. */
export interface Call<T> {
  /** `Counter.add`, for messages. */
  readonly what: string;
  /** The frame of the request with that number. @throws if it cannot travel. */
  frame(id: number): Uint8Array;
  /** The value of the reply, as the caller gets it. */
  result(value: unknown): T;
  /** The reply came, and nobody waits for it any more. */
  unwanted(value: unknown): void;
}

/** Who sends requests. */
export interface Requester {
  begin<T>(call: Call<T>, ticket: Ticket<T>): void;
}

export class CallWait<T> extends ExternalWait<T> {
  readonly #requester: Requester;
  readonly #call: Call<T>;
  constructor(requester: Requester, call: Call<T>) {
    super();
    this.#requester = requester;
    this.#call = call;
  }
  protected begin(ticket: Ticket<T>): void {
    this.#requester.begin(this.#call, ticket);
  }
  describe(): WaitDescription {
    return { op: 'call', object: `${this.#call.what} of a manager` };
  }
}
