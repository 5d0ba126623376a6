// joinable-queue.ts: a queue whose items are counted until they are done, by the name that gevent gives it.
//
// Every queue here can be joined, as in Python's queue module, so this adds nothing but the name, for code that says what it means to use.
// Source: gevent.queue.JoinableQueue.

import { Queue } from './queue.ts';

export class JoinableQueue<T> extends Queue<T> {}
