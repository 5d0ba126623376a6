// node-descriptors.ts: how many descriptors this process may have, and whether one is free.
//
// When none is left, Node's server is told nothing: libuv keeps one descriptor in reserve, with which it accepts and closes whatever comes, so clients
// see a connection that ends at once. There are two ways to notice. The system gives out the lowest number that is free, so a connection that gets
// the highest one has taken the last descriptor: exact, and free of charge, but silent when files or other sockets took it. For that one is
// opened and closed now and then, as long as somebody listens.
//
// Invariant: the timer runs  if and only if  somebody watches

import fs from 'node:fs';
import { codeOf } from './errors.ts';

// Taken at load: patches never reach us.
const { closeSync, openSync, readFileSync } = fs;
const { setInterval, clearInterval } = globalThis;

const LOOK_EVERY_MS = 1000;
/** What a server leaves for everything else. */
const RESERVE = 256;
/** Whoever has no descriptor left opens this in vain. */
const ANYTHING = '/dev/null';
const windows: boolean = process.platform === 'win32';

let known = Number.POSITIVE_INFINITY;

/** The most descriptors that this process may have, as of now; what it was before if there is none left to ask with. */
export function descriptorLimit(): number {
  if (windows) return known;
  try {
    known = process.platform === 'linux' ? ofLinux() : ofReport();
  } catch {
    // It cannot be asked for: the last answer, or none, has to do.
  }
  return known;
}

function ofLinux(): number {
  const limit = Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]);
  return Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit;
}

let reported: number | undefined;

// Slow, so only once: it may even ask name servers about every connection.
function ofReport(): number {
  if (reported === undefined) {
    const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
    reported = Number(report.userLimits?.open_files?.soft);
    if (Number.isNaN(reported)) reported = Number.POSITIVE_INFINITY;
  }
  return reported;
}

/** How many connections a server may have by itself. A limit too small for the reserve leaves it to the overload. */
export function mostConnections(limit: number): number {
  return limit > 2 * RESERVE ? limit - RESERVE : Number.POSITIVE_INFINITY;
}

/** Does `error` say that no descriptor is left, in this process or in the system? */
export function isExhaustion(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

/** Is a descriptor free? Some microseconds. */
export function hasDescriptor(): boolean {
  if (windows) return true;
  try {
    closeSync(openSync(ANYTHING, 'r'));
    return true;
  } catch (error) {
    return !isExhaustion(error);
  }
}

const watchers = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/** Call `exhausted` about every second in which no descriptor is free, until the function that is returned is called. Keeps no process alive. */
export function watchDescriptors(exhausted: () => void): () => void {
  if (windows) return () => {};
  watchers.add(exhausted);
  timer ??= setInterval(look, LOOK_EVERY_MS).unref();
  return () => {
    watchers.delete(exhausted);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function look(): void {
  if (hasDescriptor()) return;
  for (const exhausted of [...watchers]) exhausted();
}
