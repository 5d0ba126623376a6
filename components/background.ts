// background.ts: what a component does by itself, beside handling events: to accept connections, to wait for a time.
//
// It runs while its component is in a tree that runs: given before that it begins with the tree; it is killed when the component leaves the tree, and when the body of the tree
// has returned, since what goes on for ever would keep it from ending; and it begins anew when there is a tree that runs again. What handlers depend on to come to an end
// lasts until they have. When it returns, fails or is told to end, it is over.
//
// Invariants, between any two steps:
//   greenlet is present  implies  it has begun in the tree that runs now, and has not been killed by its end
//   it is over  if and only if  its component has it no more

import { isKilled } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import type { Op } from '../core/op.ts';
import type { Scope } from '../core/scope.ts';
import type { ComponentNode } from './component-node.ts';
import { worksFor } from './handler-run.ts';

export class Background {
  readonly #node: ComponentNode;
  readonly #body: () => Op<unknown>;
  readonly #name: string;
  #greenlet: Greenlet<void> | undefined = undefined;

  /** Does it last until everything in the tree is handled? */
  readonly lasting: boolean;

  constructor(node: ComponentNode, body: () => Op<unknown>, name: string, lasting: boolean) {
    this.lasting = lasting;
    this.#node = node;
    this.#body = body;
    this.#name = name;
  }

  /** Begin in `scope`, unless it runs. */
  begin(scope: Scope): void {
    if (this.#greenlet !== undefined) return;
    this.#greenlet = scope.spawn(working, this);
    this.#greenlet.rare().name = this.#name;
    worksFor(this.#greenlet, null);
  }

  /** The tree ends, or its component leaves it. */
  interrupt(reason: string): void {
    const greenlet = this.#greenlet;
    this.#greenlet = undefined;
    greenlet?.kill(reason);
  }

  /** End it for good. */
  stop(): void {
    this.#node.backgrounds.delete(this);
    this.interrupt('it was told to end');
  }

  /** @internal */
  *work(): Op<void> {
    const { component, backgrounds } = this.#node;
    const greenlet = this.#greenlet as Greenlet;
    // By the end the component may be in another tree; a failure belongs to the one that it worked in.
    const { tree } = this.#node;
    try {
      yield* this.#body();
    } catch (error) {
      if (isKilled(error) && greenlet.killed) throw error;
      tree.failed(error, { component, firing: undefined, handler: this.#name }, greenlet);
    } finally {
      if (this.#greenlet === greenlet) backgrounds.delete(this);
    }
  }
}

function* working(background: Background): Op<void> {
  yield* background.work();
}
