// ownership-opener.ts: which code opens a handle: that of a greenlet, a package's, Node's, or our own.
//
// Only what the greenlet's own code opens is owned. What the code of a package opens belongs to the package: the pools of a database client, the agents of an HTTP
// client, the timers that several users share all outlive the greenlet that happened to make them grow. The same holds for what Node opens below a call,
// such as the sockets of an http.Agent, and for what io/ opens, which sees to its own handles.
//
// The stack tells: its innermost frame that is not ours decides. Frames of Node are passed over only where the patch says so. Taking it costs some microseconds, in
// greenlets only. It is kept as V8 gives it and made a text when somebody asks for it.

import { findSourceMap } from 'node:module';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a handle was opened. */
export class Opener {
  readonly #sites: readonly NodeJS.CallSite[];
  /** The line of the greenlet's own code. One leak is reported for each. */
  readonly #site: NodeJS.CallSite;

  constructor(sites: readonly NodeJS.CallSite[], index: number) {
    this.#sites = sites.slice(index);
    this.#site = sites[index] as NodeJS.CallSite;
  }

  get place(): string {
    return String(this.#site);
  }

  /** `title`, and the stack below it, innermost line first, as errors of this process show theirs; without the kernel's own frames. */
  stack(title: string): string {
    const sites = this.#sites.filter((site) => isShown(site.getFileName()));
    return [title, ...lines(sites)].join('\n');
  }
}

function lines(sites: NodeJS.CallSite[]): string[] {
  const { prepareStackTrace } = Error;
  if (typeof prepareStackTrace === 'function') {
    try {
      // The program's own: it knows where the compiled line came from.
      const text = String(prepareStackTrace(new Error(''), sites));
      return text.split('\n').filter((line) => /^\s+at /.test(line));
    } catch {
      // What it throws is of no interest here.
    }
  }
  return sites.map((site) => `    at ${mapped(site)}`);
}

/** The text of a frame, with the place in the source that it was compiled from, where Node knows that (--enable-source-maps, and the loaders that turn it on). */
function mapped(site: NodeJS.CallSite): string {
  const [file, line, column] = [site.getFileName(), site.getLineNumber(), site.getColumnNumber()];
  if (typeof file !== 'string' || line === null || column === null) return String(site);
  const entry = findSourceMap(file)?.findEntry(line - 1, column - 1);
  if (entry === undefined || !('originalSource' in entry)) return String(site);
  const source = entry.originalSource.startsWith('file:') ? fileURLToPath(entry.originalSource) : entry.originalSource;
  return `${site.getFunctionName() ?? '<anonymous>'} (${source}:${entry.originalLine + 1}:${entry.originalColumn + 1})`;
}

/** How deep Node's own frames may lie over the caller's: http.request to the connect of its socket is eleven. */
const DEEP = 16;
/** What takes no way through Node is called by the caller itself. */
const SHALLOW = 5;

/**
 * The place in the current greenlet's own code that has called `wrapper`; undefined if something else has.
 *
 * @param through The modules of Node, by the name in their frames, through which the caller may come. @param packages The packages, likewise.
 */
export function openerOf(wrapper: object, through?: RegExp, packages?: RegExp): Opener | undefined {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: unknown } = {};
  Error.stackTraceLimit = through === undefined ? SHALLOW : DEEP;
  Error.prepareStackTrace = sitesOf;
  try {
    Error.captureStackTrace(holder, wrapper as (...args: never) => unknown);
    return decide(holder.stack as readonly NodeJS.CallSite[], through, packages);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    // Undefined is what it is where nobody has set it: Node then formats by itself.
    Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
  }
}

const sitesOf = (_: Error, sites: NodeJS.CallSite[]): NodeJS.CallSite[] => sites;

function decide(sites: readonly NodeJS.CallSite[], through?: RegExp, packages?: RegExp): Opener | undefined {
  for (let index = 0; index < sites.length; index += 1) {
    const file = sites[index]?.getFileName();
    // Array.prototype.map, new Promise: what they call is called by who calls them.
    if (file === undefined || file === null) continue;
    switch (whose(file)) {
      case 'passage':
        break;
      case 'node':
        if (!isPassage(file) && through?.test(file) !== true) return undefined;
        break;
      case 'package':
        if (packages?.test(file) !== true) return undefined;
        break;
      case 'library':
        return undefined;
      case 'program':
        return new Opener(sites, index);
    }
  }
  return undefined;
}

function isShown(file: string | null | undefined): boolean {
  if (file === undefined || file === null) return false;
  const of = whose(file);
  return of !== 'passage' && of !== 'library';
}

/** util.promisify, and what runs a function in a context. */
const isPassage = (file: string): boolean =>
  file === 'node:internal/util' || file.startsWith('node:async_hooks') || file.startsWith('node:internal/async_local');

/** `passage`: only hands a call on. */
type Whose = 'passage' | 'node' | 'package' | 'library' | 'program';

/** By the name of a file as a frame has it. There are as many as the program has files. */
const known = new Map<string, Whose>();

function whose(file: string): Whose {
  let found = known.get(file);
  if (found === undefined) known.set(file, (found = judge(file)));
  return found;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const here = fileURLToPath(import.meta.url);
/** One file with everything in it, our own code and packages too: what lies there cannot be told apart, so nothing that it opens is owned. */
const bundled = !/[\\/]patches[\\/]ownership-opener\.[jt]s$/.test(here);

function judge(file: string): Whose {
  if (file.startsWith('node:')) return 'node';
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  if (bundled && path === here) return 'library';
  if (path.startsWith(root)) {
    const inside = path.slice(root.length).split(sep).join('/');
    // A twin sees to its own handles, as io/ does.
    if (inside.startsWith('patches/twins/')) return 'library';
    // The kernel opens nothing; `until(fetch)` and `callback(open)` call what they are given.
    if (/^(core|patches)\/|^io\/(until|callback)\.[tj]s$/.test(inside)) return 'passage';
    if (inside.startsWith('io/')) return 'library';
  }
  return /[\\/]node_modules[\\/]/.test(path) ? 'package' : 'program';
}
