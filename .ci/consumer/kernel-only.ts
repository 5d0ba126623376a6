// kernel-only.ts: a user of the kernel on an engine that is not Node: no DOM types, no @types/node.
//
// Compiled, not run: it would need a driver.
import { Channel, type Op } from 'tendril/core';

export function* greet(names: Channel<string>): Op<string> {
  const name: string = yield* names.receive();
  return `hello ${name}`;
}

export const names: Channel<string> = new Channel<string>();
