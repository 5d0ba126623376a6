// stage.ts: a tree of components that runs under the virtual clock, with the kernel's invariants checked after every step.
import type { Op } from 'tendril';
import { Component, type ComponentOptions } from 'tendril/components';
import { collectErrors, play } from '../core/world.ts';

/** What a test's body is given. */
export interface Stage {
  readonly app: Component;
  /** What happened, in order. */
  readonly log: unknown[];
  /** What has reached the hub's error event. */
  readonly lost: unknown[];
}

/** Run `body` in a tree that runs. */
export function onStage<T>(body: (stage: Stage) => Op<T>): Promise<T> {
  return play(function* () {
    const app = new Component({ name: 'app' });
    const stage = { app, log: [], lost: collectErrors() };
    return yield* app.run(function* () {
      yield* app.settled(); // of `started`
      return yield* body(stage);
    });
  });
}

/** A component of a test, below `parent`. */
export function below(parent: Component, options: ComponentOptions): Component {
  return new Component(options).register(parent);
}

/** What `op` throws, as `name: message`; what it returns otherwise. */
export function* outcome(op: Op<unknown>): Op<unknown> {
  try {
    return yield* op;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : error;
  }
}
