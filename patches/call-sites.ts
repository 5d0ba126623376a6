// call-sites.ts: the frames below a replaced function, as V8 gives them: whose code each is, and how they are shown.
//
// Taking them costs some microseconds. They are made a text when somebody asks for it, with the places in the sources that they were compiled from, and without the kernel's
// own frames. A program's own Error.prepareStackTrace and stackTraceLimit are left as they are.

import { findSourceMap } from 'node:module';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The innermost `limit` frames below `wrapper`, which runs now. */
export function sitesBelow(wrapper: object, limit: number): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: unknown } = {};
  Error.stackTraceLimit = limit;
  Error.prepareStackTrace = sitesOf;
  try {
    Error.captureStackTrace(holder, wrapper as (...args: never) => unknown);
    return holder.stack as readonly NodeJS.CallSite[];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    // Undefined is what it is where nobody has set it: Node then formats by itself.
    Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
  }
}

const sitesOf = (_: Error, sites: NodeJS.CallSite[]): NodeJS.CallSite[] => sites;

/** A place in the code, and how it was reached. */
export class CallPlace {
  readonly #sites: readonly NodeJS.CallSite[];
  readonly #site: NodeJS.CallSite;

  constructor(sites: readonly NodeJS.CallSite[], index: number) {
    this.#sites = sites.slice(index);
    this.#site = sites[index] as NodeJS.CallSite;
  }

  /** The line, as text: two calls are of one place if theirs is the same. */
  get place(): string {
    return String(this.#site);
  }

  /** `title`, and the stack below it, innermost line first, as errors of this process show theirs; without the kernel's own frames. */
  stack(title: string): string {
    const sites = this.#sites.filter((site) => isShown(site));
    return [title, ...lines(sites)].join('\n');
  }
}

function lines(sites: NodeJS.CallSite[]): string[] {
  const { prepareStackTrace } = Error;
  if (typeof prepareStackTrace === 'function') {
    try {
      // The program's own: it knows where the compiled line came from.
      const text = String(prepareStackTrace(new Error(''), sites));
      const shown = text.split('\n').filter((line) => /^\s+at /.test(line));
      if (shown.length > 0) return shown;
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

function isShown(site: NodeJS.CallSite): boolean {
  const of = whose(site);
  return of !== 'passage' && of !== 'library';
}

/** `passage`: only hands a call on. */
export type Whose = 'passage' | 'node' | 'package' | 'library' | 'program';

/** By the name of a file as a frame has it. There are as many as the program has files. */
const known = new Map<string, Whose>();

/** Whose code is it? Array.prototype.map, new Promise, a generator's next: what they call is called by who calls them. */
export function whose(site: NodeJS.CallSite): Whose {
  const file = site.getFileName();
  if (typeof file !== 'string') return 'passage';
  let found = known.get(file);
  if (found === undefined) known.set(file, (found = judge(file)));
  return found;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const here = fileURLToPath(import.meta.url);
/** One file with everything in it, our own code and packages too: what lies there cannot be told apart, so nothing that it opens is owned. */
const bundled = !/[\\/]patches[\\/]call-sites\.[jt]s$/.test(here);

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
    // Executors are used by many greenlets: their workers and timers are not those of the one that happened to need the first.
    if (/^(io|executors|components)\//.test(inside)) return 'library';
  }
  return /[\\/]node_modules[\\/]/.test(path) ? 'package' : 'program';
}
