// process-state.ts: what this process holds at a moment, so that two moments can be compared: greenlets, handles, resources, descriptors, listeners.
//
// Things are compared by identity where they have one (greenlets, handles, listeners), by number and target (descriptors), and by how many there are of a
// kind where Node shows no more than that (active resources).
//
// Not counted, because Node opens them for itself when something is used first, and keeps them: what epoll, io_uring and inotify need (anon_inode), and
// /dev/null, which the first child process leaves open.

import type { EventEmitter } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import type { Greenlet } from '../../core/greenlet.ts';
import { handleObjects } from '../handles.ts';
import { scheduler } from '../hub.ts';
import type { LeftResource } from './resource-sites.ts';

/** Where descriptors lead that Node keeps for itself, or that tsx has open while it tidies up its cache. */
const NOT_THE_PROGRAM = /^anon_inode:|^\/dev\/null$|\/tsx-\d+(\/|$)/;

type Listener = (...args: never[]) => unknown;
export type Emitters = Readonly<Record<string, Pick<EventEmitter, 'eventNames' | 'rawListeners'>>>;

/** One listener of one event. */
export interface Listening {
  /** `'exit' on process`. */
  readonly where: string;
  readonly listener: Listener;
}

export class ProcessState {
  readonly greenlets: ReadonlySet<Greenlet> = new Set(scheduler.greenlets());
  readonly handles: ReadonlySet<object> = new Set(handleObjects().keys());
  readonly resources: readonly string[] = process.getActiveResourcesInfo();
  /** What each descriptor leads to; empty where the system does not tell. */
  readonly descriptors: ReadonlyMap<number, string> = readDescriptors();
  readonly listeners: readonly Listening[];

  constructor(emitters: Emitters) {
    this.listeners = Object.entries({ process, ...emitters }).flatMap(([name, emitter]) =>
      emitter.eventNames().flatMap((event) =>
        emitter.rawListeners(event).map((listener) => ({
          where: `${typeof event === 'string' ? `'${event}'` : String(event)} on ${name}`,
          listener: listener as Listener,
        })),
      ),
    );
  }

  /** The active resources that are more of their type than there were `before`. Where each was made is not known. */
  moreResources(before: ProcessState): LeftResource[] {
    const more = [...this.resources];
    for (const type of before.resources) if (more.includes(type)) more.splice(more.indexOf(type), 1);
    return more.map((type) => ({ type, stack: '' }));
  }

  /** Descriptors that were not there `before`, or led elsewhere. */
  newDescriptors(before: ProcessState): [number, string][] {
    return [...this.descriptors].filter(([fd, target]) => before.descriptors.get(fd) !== target);
  }

  /** Listeners that were not there `before`; one that was added twice counts twice. */
  newListeners(before: ProcessState): Listening[] {
    const known = [...before.listeners];
    return this.listeners.filter(({ where, listener }) => {
      const index = known.findIndex((other) => other.where === where && other.listener === listener);
      if (index >= 0) known.splice(index, 1);
      return index < 0;
    });
  }
}

function readDescriptors(): Map<number, string> {
  const found = new Map<number, string>();
  let names: string[];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    return found; // only Linux has it
  }
  for (const name of names) {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      if (!NOT_THE_PROGRAM.test(target)) found.set(Number(name), target);
    } catch {
      // The descriptor by which the folder was read is closed again.
    }
  }
  return found;
}
