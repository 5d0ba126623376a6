// killed-test.ts: what a condition in a `catch` comes to if the error is Killed.
//
// Three values: true, false, and undefined for what cannot be told from the text. `isKilled(error)` is true; `error instanceof X` is
// true for Killed and Error and false for any other class; a type guard is as good as the class that it guards; `error.code` is
// 'KILLED' and `error.name` is 'Killed'.

import type { TSESTree } from '@typescript-eslint/utils';
import type { Rule } from 'eslint';
import { nameOf, unwrapped } from './expression.ts';
import type { OpTypes } from './op-type.ts';

export type Truth = boolean | undefined;

const killedProperties: Readonly<Record<string, string>> = { code: 'KILLED', name: 'Killed' };
const classesOfKilled: ReadonlySet<string | undefined> = new Set(['Killed', 'Error', 'Object']);

/** Judges conditions about one caught error. `names` are the variables that hold it. */
export class KilledTest {
  readonly names: Set<string> = new Set();
  readonly #context: Rule.RuleContext;
  readonly #types: OpTypes | undefined;

  constructor(context: Rule.RuleContext, types: OpTypes | undefined) {
    this.#context = context;
    this.#types = types;
  }

  /** Is `node` the caught error? */
  isError(node: TSESTree.Node | null | undefined): boolean {
    if (node === null || node === undefined) return false;
    const bare = unwrapped(node);
    return bare.type === 'Identifier' && this.names.has(bare.name);
  }

  /** Is `node` a call of the function `name` of tendril with the caught error? */
  isCallOf(name: 'isKilled' | 'rethrowKilled', node: TSESTree.Node): node is TSESTree.CallExpression {
    return (
      node.type === 'CallExpression' && this.isError(node.arguments[0]) && nameOf(node.callee, this.#context) === name
    );
  }

  /** The string that the property of the error in `node` has, if the error is Killed: for `error.code`, `error.name`. */
  propertyOf(node: TSESTree.Node): string | undefined {
    const bare = unwrapped(node);
    if (bare.type !== 'MemberExpression' || !this.isError(bare.object)) return undefined;
    return killedProperties[nameOf(bare, this.#context) ?? ''];
  }

  truthOf(node: TSESTree.Node): Truth {
    const bare = unwrapped(node);
    switch (bare.type) {
      case 'Literal':
        return typeof bare.value === 'boolean' ? bare.value : undefined;
      case 'UnaryExpression':
        return bare.operator === '!' ? not(this.truthOf(bare.argument)) : undefined;
      case 'LogicalExpression':
        return this.#ofLogical(bare);
      case 'CallExpression':
        return this.isCallOf('isKilled', bare) ? true : this.#ofGuard(bare);
      case 'BinaryExpression':
        return this.#ofComparison(bare);
      default:
        return undefined;
    }
  }

  #ofLogical({ operator, left, right }: TSESTree.LogicalExpression): Truth {
    if (operator === '??') return undefined;
    const deciding = operator === '||';
    const sides = [this.truthOf(left), this.truthOf(right)];
    if (sides.includes(deciding)) return deciding;
    return sides.includes(undefined) ? undefined : !deciding;
  }

  #ofGuard(node: TSESTree.CallExpression): Truth {
    if (!this.isError(node.arguments[0])) return undefined;
    const guarded = this.#types?.guardedType(node);
    if (guarded === undefined || !guarded.isClass()) return undefined;
    return classesOfKilled.has(guarded.getSymbol()?.name);
  }

  #ofComparison({ operator, left, right }: TSESTree.BinaryExpression): Truth {
    if (operator === 'instanceof') {
      const name = nameOf(right, this.#context);
      return this.isError(left) && name !== undefined ? classesOfKilled.has(name) : undefined;
    }
    const equal = this.#equal(left, right) ?? this.#equal(right, left);
    if (operator === '===' || operator === '==') return equal;
    return operator === '!==' || operator === '!=' ? not(equal) : undefined;
  }

  #equal(one: TSESTree.Node, other: TSESTree.Node): Truth {
    const value = unwrapped(other);
    if (this.isError(one)) {
      const nothing =
        (value.type === 'Literal' && value.value === null) || nameOf(value, this.#context) === 'undefined';
      return nothing ? false : undefined;
    }
    const property = this.propertyOf(one);
    return property !== undefined && value.type === 'Literal' ? property === value.value : undefined;
  }
}

function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}
