// mutex.ts: a lock that one greenlet owns, once. Its owner asking for it again is an error, because it would wait for ever.
//
// Hand-over, ownership and reports are in exclusive-lock.ts. For a lock that its owner may take again there is RLock.
// Sources: threading.Lock; S11, S12.

import { ExclusiveLock } from './exclusive-lock.ts';

/** A lock that one greenlet owns and only its owner releases; waiters are served in order. */
export class Mutex extends ExclusiveLock {
  /** @internal */
  label(): string {
    return this.name === undefined ? 'a mutex' : `mutex ${this.name}`;
  }
}
