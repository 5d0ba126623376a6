// resource-sites.ts: which resources of Node were made since, are still there and keep it alive, and where they were made.
//
// async_hooks tells of each one when it is made and when it is gone. That costs every promise and timer of the process something, so it is on only from
// the constructor to `end`. `process.getActiveResourcesInfo()` alone could not tell a timer that was left from one that somebody else had before.
//
// The two name the same things differently (TCPSocketWrap, TCPWRAP): names are compared without case and without what only one of them adds.
//
// What a test runner or loader makes for itself is not counted, nor the hub's own timer: whoever makes the hub wait is a greenlet, and counted as that.

import { createHook } from 'node:async_hooks';
import { framesOf, type OpeningStack, takeStack } from './opening-stack.ts';

/** What comes and goes by the thousand and keeps nothing alive. */
const UNINTERESTING = new Set(['PROMISE', 'TickObject', 'Microtask']);
const NOT_THE_PROGRAM =
  /node:internal\/test_runner|[\\/]node_modules[\\/](@vitest|vitest|tinypool|birpc|tsx)[\\/]|[\\/]io[\\/]node-driver\.[jt]s/;

/** A resource that was left. */
export interface LeftResource {
  /** As `process.getActiveResourcesInfo()` names it. */
  readonly type: string;
  readonly stack: string;
}

interface Site {
  readonly type: string;
  readonly resource: WeakRef<object>;
  readonly opened: OpeningStack;
}

/** Collects what is made from now on, until `end`. */
export class ResourceSites {
  readonly #sites: Map<number, Site> = new Map();
  readonly #hook: { disable(): unknown };

  constructor() {
    const callbacks = {
      init: (id: number, type: string, _trigger: number, resource: object): void => {
        if (UNINTERESTING.has(type)) return;
        this.#sites.set(id, { type: plain(type), resource: new WeakRef(resource), opened: takeStack() });
      },
      destroy: (id: number): void => void this.#sites.delete(id),
      // Where Node knows it, promises then cost nothing. Elsewhere it is not read.
      trackPromises: false,
    };
    this.#hook = createHook(callbacks).enable();
  }

  /** Those of `active` (what Node says is active now) that were made since. */
  left(active: readonly string[]): LeftResource[] {
    const found: LeftResource[] = [];
    const sites = [...this.#sites.values()].filter(isReferenced);
    for (const type of active) {
      const index = sites.findIndex((site) => site.type === plain(type));
      if (index < 0) continue;
      const [site] = sites.splice(index, 1) as [Site];
      const frames = framesOf(site.opened);
      if (!isOfOthers(frames)) found.push({ type, stack: frames.join('\n') });
    }
    return found;
  }

  end(): void {
    this.#hook.disable();
    this.#sites.clear();
  }
}

function plain(type: string): string {
  return type
    .toUpperCase()
    .replace(/WRAP$/, '')
    .replace(/SOCKET$/, '');
}

function isReferenced({ resource }: Site): boolean {
  const live = resource.deref() as { hasRef?(): boolean } | undefined;
  return live !== undefined && (typeof live.hasRef !== 'function' || live.hasRef());
}

/** Was it made by a test runner, a loader or the hub? The innermost frame that is not Node's says so. */
function isOfOthers(frames: readonly string[]): boolean {
  const maker = frames.findIndex((frame) => !/node:|<anonymous>/.test(frame));
  return frames.slice(0, maker < 0 ? undefined : maker + 1).some((frame) => NOT_THE_PROGRAM.test(frame));
}
