// tree-run.ts: a tree that runs: from the start of its body to the end of everything in it.
//
// All of it is in one scope of the greenlet that runs it: the dispatching, the handlers, the background work. So a kill ends all, and nothing is left behind.
//
// The end, when the body has returned, and why in this order:
//   1. background work is killed     what fires by itself would never let the rest come to an end
//   2. what was fired is handled     returning drops nothing
//   3. `stopped` is fired, handled   handlers may still fire, call and wait
//   4. what background work others depended on, and the dispatching, end
// A body that throws, and a kill, end everything at once: events that are still queued are cancelled.
// Source: circuits' Manager.run, which handles three rounds more of events and leaves the rest.

import type { Op } from '../core/op.ts';
import { type Scope, scope } from '../core/scope.ts';
import { sleep } from '../core/sleep.ts';
import type { Component } from './component.ts';
import { nodeOf } from './component-node.ts';
import { Dispatcher } from './dispatcher.ts';
import { ComponentStateError } from './errors.ts';
import { started, stopped } from './lifecycle.ts';
import type { Tree } from './tree.ts';

/** Run the tree below `root` while `body` runs. */
export function* running<T>(root: Component, body: (() => Op<T>) | undefined): Op<T> {
  const { tree } = nodeOf(root);
  if (root.parent !== undefined)
    throw new ComponentStateError(`${root} is below ${root.parent}: run the root, ${root.root}`);
  if (tree.dispatcher !== undefined) throw new ComponentStateError(`${root} is running already`);
  try {
    return yield* scope((s) => whole(tree, s, body));
  } finally {
    ended(tree);
  }
}

function* whole<T>(tree: Tree, s: Scope, body: (() => Op<T>) | undefined): Op<T> {
  const { root } = tree;
  const dispatcher = new Dispatcher(tree, s);
  tree.dispatcher = dispatcher;
  root.fire(started(root));
  dispatcher.wake();
  for (const node of nodeOf(root).subtree()) node.beginBackground(s);
  const value = body === undefined ? yield* sleep(Number.POSITIVE_INFINITY) as Op<T> : yield* body();
  tree.stopping = true;
  for (const node of nodeOf(root).subtree()) node.endBackground('the tree is ending', false);
  yield* settled(tree);
  root.fire(stopped(root));
  yield* settled(tree);
  for (const node of nodeOf(root).subtree()) node.endBackground('the tree has ended', true);
  dispatcher.stop();
  return value;
}

/** Wait until nothing is queued and nothing is being handled in the tree of `component`, which may come into another one meanwhile. */
export function* settledAround(component: Component): Op<void> {
  const node = nodeOf(component);
  let tree: Tree;
  do {
    tree = node.tree;
    yield* settled(tree);
  } while (node.tree !== tree);
}

function* settled(tree: Tree): Op<void> {
  while (tree.active > 0) yield* tree.settled.wait();
}

function ended(tree: Tree): void {
  // It has not even begun.
  if (tree.dispatcher === undefined) return;
  tree.ending = true;
  try {
    for (const node of nodeOf(tree.root).subtree()) node.endBackground('the tree has ended', true);
    tree.dispatcher.abandon();
    tree.cancelAll();
    for (const node of nodeOf(tree.root).subtree()) node.failWaits(`${tree.root} has ended`);
  } finally {
    tree.dispatcher = undefined;
    tree.ending = false;
    tree.stopping = false;
  }
}
