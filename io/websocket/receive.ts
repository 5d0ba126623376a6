// receive.ts: the wait for a message of a WebSocket.
//
// One greenlet receives at a time. The message is handed to it in the event that brought it; a kill before that takes nothing.

import type { Greenlet } from '../../core/greenlet.ts';
import type { WaitDescription } from '../../core/op.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter } from '../../core/wait-list.ts';

/** Text, or bytes. */
export type Message = string | Buffer;

/** What a receiver needs of its WebSocket. */
export interface MessageSource {
  look(greenlet: Greenlet): boolean;
  enlist(waiter: Waiter): void;
  retract(): void;
  toString(): string;
}

export class ReceiveWait extends Wait<Message | null> {
  readonly #webSocket: MessageSource;
  constructor(webSocket: MessageSource) {
    super();
    this.#webSocket = webSocket;
  }
  look(greenlet: Greenlet): boolean {
    return this.#webSocket.look(greenlet);
  }
  enlist(waiter: Waiter): void {
    this.#webSocket.enlist(waiter);
  }
  retract(): void {
    this.#webSocket.retract();
  }
  describe(): WaitDescription {
    return { op: 'receive', object: this.#webSocket.toString() };
  }
}
