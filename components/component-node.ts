// component-node.ts: what a component is to the library: its place in a tree, its handlers, what of it runs.
//
// Apart from the component, and private to it, because that is a class that users extend: their names are not to meet ours.
//
// Invariants, between any two steps:
//   all nodes of a tree have the same `tree`, whose root is the one without a parent
//   a node is among the children of its parent, and of nobody else
//   leaving  if and only if  this, or a node above it, waits for its `unregistering` to be complete
//   runs has each handler of it that runs as a greenlet, in whatever tree that began

import type { Op } from '../core/op.ts';
import type { Scope } from '../core/scope.ts';
import { Background } from './background.ts';
import type { Component } from './component.ts';
import { ComponentStoppedError } from './errors.ts';
import { EventWaiters } from './event-wait.ts';
import type { Firing } from './firing.ts';
import type { Handler } from './handler.ts';
import type { HandlerRun } from './handler-run.ts';
import { Tree } from './tree.ts';

let reach: (component: Component) => ComponentNode;

/** The node of `component`. */
export function nodeOf(component: Component): ComponentNode {
  return reach(component);
}

/** Called once, by the class that alone can. */
export function reachNodes(by: (component: Component) => ComponentNode): void {
  reach = by;
}

export class ComponentNode {
  readonly component: Component;
  tree: Tree;
  parent: ComponentNode | undefined = undefined;
  readonly children: Set<ComponentNode> = new Set();
  readonly handlers: Set<Handler> = new Set();
  /** Those of its handlers that run as greenlets now. */
  readonly runs: Set<HandlerRun> = new Set();
  readonly backgrounds: Set<Background> = new Set();
  readonly waiters: EventWaiters;
  /** No event but `unregistering` reaches it any more. */
  leaving = false;
  unregistering: Firing<[component: Component], void> | undefined = undefined;

  constructor(component: Component) {
    this.component = component;
    this.tree = new Tree(component);
    this.waiters = new EventWaiters(this.tree.waits);
  }

  /** This node and those below it, each before its children. A list: they may come and go meanwhile. */
  subtree(): ComponentNode[] {
    const found: ComponentNode[] = [];
    const left: ComponentNode[] = [this];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      found.push(node);
      // One by one: there may be more of them than a call may have arguments.
      for (const child of [...node.children].reverse()) left.push(child);
    }
    return found;
  }

  addHandler(handler: Handler): () => void {
    this.handlers.add(handler);
    this.tree.handlers.add(handler);
    return () => {
      if (handler.removed) return;
      handler.removed = true;
      this.handlers.delete(handler);
      this.tree.handlers.remove(handler);
    };
  }

  /** See `Component.background`. `lasting`: until everything in the tree is handled. */
  addBackground(body: () => Op<unknown>, name: string, lasting: boolean): () => void {
    const work = new Background(this, body, `${name || 'background'} of ${this.component.name}`, lasting);
    this.backgrounds.add(work);
    const { dispatcher, stopping } = this.tree;
    if (dispatcher !== undefined && !this.leaving && !stopping) work.begin(dispatcher.scope);
    return () => work.stop();
  }

  beginBackground(scope: Scope): void {
    for (const work of [...this.backgrounds]) work.begin(scope);
  }

  endBackground(reason: string, lastingToo: boolean): void {
    for (const work of [...this.backgrounds]) if (lastingToo || !work.lasting) work.interrupt(reason);
  }

  failWaits(why: string): void {
    // An error has a stack, which takes long to make for each component of a large tree.
    if (this.waiters.size === 0) return;
    const error = new ComponentStoppedError(`what was waited for through ${this.component} will not come: ${why}`);
    this.waiters.failAll(error);
  }

  /** Become a part of the tree of `parent`, and bring what was fired here. */
  enter(parent: ComponentNode): void {
    const own = this.tree;
    this.parent = parent;
    parent.children.add(this);
    this.#moveTo(parent.tree);
    parent.tree.adopt(own);
  }

  /** Become a tree of its own. */
  leave(): void {
    this.parent?.children.delete(this);
    this.parent = undefined;
    this.unregistering = undefined;
    const why = `${this.component} was unregistered`;
    for (const node of this.subtree()) {
      // One below that is about to leave this one still is.
      node.leaving = node.unregistering !== undefined || node.parent?.leaving === true;
      node.endBackground(why, true);
      node.failWaits(why);
    }
    this.#moveTo(new Tree(this.component));
  }

  #moveTo(tree: Tree): void {
    for (const node of this.subtree()) {
      for (const handler of node.handlers) {
        node.tree.handlers.remove(handler);
        tree.handlers.add(handler);
      }
      node.waiters.moveTo(tree.waits);
      node.tree = tree;
    }
  }
}
