// expression.ts: reading an expression without what changes nothing at run time, and names without how they were imported.
//
// `(op as X)!` and `a?.b` are the expression inside; `import { isKilled as k }` and `import * as tendril` lead to the same name.

import type { TSESTree } from '@typescript-eslint/utils';
import type { Rule, Scope } from 'eslint';

/** The expression inside casts, non-null marks and optional chains. */
export function unwrapped(node: TSESTree.Node): TSESTree.Node {
  switch (node.type) {
    case 'TSAsExpression':
    case 'TSNonNullExpression':
    case 'TSSatisfiesExpression':
    case 'TSTypeAssertion':
    case 'ChainExpression':
      return unwrapped(node.expression);
    default:
      return node;
  }
}

/** The name that `node` stands for: of a variable, as its module exports it, or of a property: `x.name` is `name`. */
export function nameOf(node: TSESTree.Node, context: Rule.RuleContext): string | undefined {
  const bare = unwrapped(node);
  if (bare.type === 'MemberExpression') {
    if (!bare.computed && bare.property.type === 'Identifier') return bare.property.name;
    return bare.property.type === 'Literal' ? String(bare.property.value) : undefined;
  }
  if (bare.type !== 'Identifier') return undefined;
  for (const definition of variableOf(bare, context)?.defs ?? []) {
    const imported = definition.node as TSESTree.Node;
    if (imported.type !== 'ImportSpecifier') continue;
    return imported.imported.type === 'Identifier' ? imported.imported.name : imported.imported.value;
  }
  return bare.name;
}

/** The variable that `name` means where `node` stands. */
export function variableNamed(
  name: string,
  node: TSESTree.Node,
  context: Rule.RuleContext,
): Scope.Variable | undefined {
  let scope: Scope.Scope | null = context.sourceCode.getScope(node as Rule.Node);
  for (; scope !== null; scope = scope.upper) {
    const variable = scope.set.get(name);
    if (variable !== undefined) return variable;
  }
  return undefined;
}

function variableOf(node: TSESTree.Identifier, context: Rule.RuleContext): Scope.Variable | undefined {
  return variableNamed(node.name, node, context);
}
