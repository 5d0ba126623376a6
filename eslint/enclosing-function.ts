// enclosing-function.ts: which function an expression belongs to, and which nodes belong to one function.
//
// `yield` may stand in a generator function's body, but not in its parameters, not in a nested function and not in the fields and
// static blocks of a nested class: those run as functions of their own.

import type { TSESTree } from '@typescript-eslint/utils';
import type { SourceCode } from 'eslint';

export type FunctionNode =
  | TSESTree.FunctionDeclaration
  | TSESTree.FunctionExpression
  | TSESTree.ArrowFunctionExpression;

/** A generator function that a greenlet can run: not an async one. */
export type GeneratorFunction = (TSESTree.FunctionDeclaration | TSESTree.FunctionExpression) & { generator: true };

export function isFunction(node: TSESTree.Node): node is FunctionNode {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

/** The generator function in whose body `node` stands, so that `yield*` may be written there. */
export function generatorAround(node: TSESTree.Node): GeneratorFunction | undefined {
  let inner = node;
  for (let outer = node.parent; outer !== undefined && outer !== null; outer = outer.parent) {
    if (isFunction(outer)) {
      return outer.generator && !outer.async && outer.body === inner ? (outer as GeneratorFunction) : undefined;
    }
    if (startsOwnBody(outer, inner)) return undefined;
    inner = outer;
  }
  return undefined;
}

/** `node` and everything in it that runs as part of the same function call. */
export function* nodesInSameFunction(node: TSESTree.Node, keys: SourceCode['visitorKeys']): Generator<TSESTree.Node> {
  yield node;
  for (const key of keys[node.type] ?? []) {
    const child = (node as unknown as Record<string, unknown>)[key];
    for (const each of (Array.isArray(child) ? child : [child]) as (TSESTree.Node | null | undefined)[]) {
      if (each === null || each === undefined || isFunction(each) || startsOwnBody(node, each)) continue;
      yield* nodesInSameFunction(each, keys);
    }
  }
}

/** Does `inner`, a child of `outer`, run apart from the code around `outer`: the value of a class field or a static block? */
function startsOwnBody(outer: TSESTree.Node, inner: TSESTree.Node): boolean {
  if (outer.type === 'StaticBlock') return true;
  return (outer.type === 'PropertyDefinition' || outer.type === 'AccessorProperty') && outer.value === inner;
}
