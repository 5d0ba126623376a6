// ownership-opener.ts: which code opens a handle: that of a greenlet, a package's, Node's, or our own.
//
// Only what the greenlet's own code opens is owned. What the code of a package opens belongs to the package: the pools of a database client, the agents of an HTTP
// client, the timers that several users share all outlive the greenlet that happened to make them grow. The same holds for what Node opens below a call,
// such as the sockets of an http.Agent, and for what io/, executors/ and components/ open, which see to their own handles.
//
// The stack tells: its innermost frame that is not ours decides. Frames of Node are passed over only where the patch says so.

import { CallPlace, sitesBelow, whose } from './call-sites.ts';

/** How deep Node's own frames may lie over the caller's: http.request to the connect of its socket is eleven. */
const DEEP = 16;
/** What takes no way through Node is called by the caller itself. */
const SHALLOW = 5;

/**
 * The place in the current greenlet's own code that has called `wrapper`; undefined if something else has.
 *
 * @param through The modules of Node, by the name in their frames, through which the caller may come. @param packages The packages, likewise.
 */
export function openerOf(wrapper: object, through?: RegExp, packages?: RegExp): CallPlace | undefined {
  const sites = sitesBelow(wrapper, through === undefined ? SHALLOW : DEEP);
  for (const [index, site] of sites.entries()) {
    const file = site.getFileName() ?? '';
    switch (whose(site)) {
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
        return new CallPlace(sites, index);
    }
  }
  return undefined;
}

/** util.promisify, and what runs a function in a context. */
const isPassage = (file: string): boolean =>
  file === 'node:internal/util' || file.startsWith('node:async_hooks') || file.startsWith('node:internal/async_local');
