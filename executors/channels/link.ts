// link.ts: what a channel across threads or processes is laid over: something that carries messages to the other side, in order.
//
// A link loses nothing but at its end, and keeps the order: so the protocol (channel-end.ts) needs no numbers. It knows nothing of credits and
// values. Its handles never keep the process alive: who waits does that, through the scheduler.
//
// Invariants:
//   `closed` of the sink is called at most once, after every message that came before, and never after our own `close`
//   after `close` nothing is posted any more, and nothing of the link is left: no listener, no handle

/** What `transfer` takes: what moves to the other side in place of being copied. */
export type TransferItem = import('node:worker_threads').TransferListItem;

/** One message of the protocol: values, a grant of credits, or the farewell. */
export type LinkMessage = readonly unknown[] | number | 'close';

export interface LinkSink {
  /** One message of the other side. It is not checked: the other side may be anybody. */
  message(message: unknown): void;
  /** One value has come and cannot be made again here. */
  unreadable(error: unknown): void;
  /** The other side is gone, or the connection is. */
  closed(why: string, cause?: unknown): void;
}

export interface Link {
  /** 'another thread', 'another process', for messages. */
  readonly to: string;
  /** May values be moved instead of copied? */
  readonly transfers: boolean;
  /** Begin to deliver to `sink`. Called once. */
  start(sink: LinkSink): void;
  /** Hand over a message. @throws what the host throws for a value that cannot be cloned: then nothing was posted. */
  post(message: LinkMessage, transfer?: readonly TransferItem[]): void;
  /** End it after what was posted. Idempotent. */
  close(): void;
}
