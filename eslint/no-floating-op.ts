// no-floating-op.ts: an Op that nobody starts.
//
// An Op is inert: `sleep(10);` does nothing, and the compiler has no objection. Reported is an Op whose value is dropped: as a
// statement, left of a comma, after `void`, as a branch of a dropped `?:`, `&&`, `||` or `??`, as the body of an arrow function whose
// caller ignores the result; and one that `yield` without a star or `await` was tried on. An Op that is passed, returned, assigned or
// stored is somebody's business, and fine, and so is a method of an Op that returns an Op of the very same type: that builds one.
//
// Not seen: an Op in a variable that is never used (the compiler's noUnusedLocals does), and a generator function given to a
// caller that expects an ordinary callback (with tendril/patches that may be meant).
// Sources: typescript-eslint's no-floating-promises, no-misused-promises.

import type { TSESTree } from '@typescript-eslint/utils';
import type { Rule } from 'eslint';
import { generatorAround } from './enclosing-function.ts';
import { unwrapped } from './expression.ts';
import { OpTypes, typeServicesOf } from './op-type.ts';

/** Report an Op that is dropped before it was started: a forgotten `yield*`. Needs type information. */
export const noFloatingOp: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Require that an Op is started with `yield*`, or handed on' },
    fixable: 'code',
    hasSuggestions: true,
    schema: [],
    messages: {
      floating:
        "Forgotten yield*: this Op is dropped before it was started, so it does nothing. Write 'yield*' before it.",
      outside:
        'This Op is dropped before it was started, so it does nothing. Only a greenlet can start it: use yield* in a generator function, ' +
        'or run() or spawn().',
      ignored:
        'This function returns an Op to a caller that ignores the result, so the Op never starts. Use a loop with yield*, or spawn().',
      withoutStar:
        "'yield' without a star hands the Op itself to the scheduler, which throws TypeError. Write 'yield*'.",
      awaited: "'await' does not start an Op. Use yield* in a generator function, or run() in ordinary code.",
      addYield: "Write 'yield*' before it.",
    },
  },
  create(context) {
    const services = typeServicesOf(context);
    if (services === undefined) {
      throw new Error(
        'tendril/no-floating-op needs type information: use the parser of typescript-eslint with `projectService: true` for these files',
      );
    }
    const types = new OpTypes(services);
    const dropped = (node: TSESTree.Expression): void => {
      for (const leaf of leavesOf(node)) reportDropped(leaf, types, context);
    };
    const listeners = {
      ExpressionStatement: (node: TSESTree.ExpressionStatement) => dropped(node.expression),
      SequenceExpression: (node: TSESTree.SequenceExpression) => node.expressions.slice(0, -1).forEach(dropped),
      'UnaryExpression[operator="void"]': (node: TSESTree.UnaryExpression) => dropped(node.argument),
      ForStatement(node: TSESTree.ForStatement) {
        if (node.init !== null && node.init.type !== 'VariableDeclaration') dropped(node.init);
        if (node.update !== null) dropped(node.update);
      },
      ArrowFunctionExpression(node: TSESTree.ArrowFunctionExpression) {
        if (node.body.type === 'BlockStatement' || types.shareAt(node.body) === 'none') return;
        if (types.resultIsIgnored(node)) context.report({ node: node.body as Rule.Node, messageId: 'ignored' });
      },
      AwaitExpression(node: TSESTree.AwaitExpression) {
        if (types.shareAt(node.argument) === 'all')
          context.report({ node: node as unknown as Rule.Node, messageId: 'awaited' });
      },
      'YieldExpression[delegate=false]': (node: TSESTree.YieldExpression) => reportYield(node, types, context),
    };
    return listeners as unknown as Rule.RuleListener;
  },
};

/** The expressions that become the value of `node`. What a comma or `void` drops is found where that is visited. */
function* leavesOf(node: TSESTree.Expression): Generator<TSESTree.Expression> {
  const bare = unwrapped(node) as TSESTree.Expression;
  switch (bare.type) {
    case 'SequenceExpression':
      yield* leavesOf(bare.expressions.at(-1) as TSESTree.Expression);
      break;
    case 'ConditionalExpression':
      yield* leavesOf(bare.consequent);
      yield* leavesOf(bare.alternate);
      break;
    case 'LogicalExpression':
      yield* leavesOf(bare.left);
      yield* leavesOf(bare.right);
      break;
    case 'AssignmentExpression': // the value is kept
    case 'AwaitExpression': // reported as such
      break;
    default:
      if (bare.type !== 'UnaryExpression') yield node;
  }
}

function reportDropped(node: TSESTree.Expression, types: OpTypes, context: Rule.RuleContext): void {
  const share = types.shareAt(node);
  if (share === 'none' || returnsItsOwn(unwrapped(node), types)) return;
  const inGenerator = generatorAround(node) !== undefined;
  context.report({
    node: node as Rule.Node,
    messageId: inGenerator ? 'floating' : 'outside',
    // `yield* undefined` throws, so a value that need not be an Op is left to the reader.
    suggest:
      inGenerator && share === 'all' ? [{ messageId: 'addYield', fix: (fixer) => addYield(node, fixer, context) }] : [],
  });
}

/** Does `node` change an Op and return that very one: `transaction.set('a', 1)` that is typed so, `Object.freeze(op)`? */
function returnsItsOwn(node: TSESTree.Node, types: OpTypes): boolean {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false;
  const { object } = node.callee;
  return (object.type === 'Identifier' && object.name === 'Object') || types.typeOf(object) === types.typeOf(node);
}

/** Put `yield*` before a dropped expression, in parentheses where the operator next to it binds tighter. */
function addYield(node: TSESTree.Expression, fixer: Rule.RuleFixer, context: Rule.RuleContext): Rule.Fix[] {
  const parent = node.parent as TSESTree.Node;
  const first = fixer.insertTextBefore(node as Rule.Node, 'yield* ');
  if (parent.type === 'UnaryExpression' && parent.parent?.type === 'ExpressionStatement') {
    return [fixer.removeRange([parent.range[0], node.range[0]]), first];
  }
  const tight = parent.type === 'LogicalExpression' || parent.type === 'UnaryExpression';
  if (!tight || isParenthesized(node, context)) return [first];
  return [fixer.insertTextBefore(node as Rule.Node, '(yield* '), fixer.insertTextAfter(node as Rule.Node, ')')];
}

function isParenthesized(node: TSESTree.Expression, { sourceCode }: Rule.RuleContext): boolean {
  return (
    sourceCode.getTokenBefore(node as Rule.Node)?.value === '(' &&
    sourceCode.getTokenAfter(node as Rule.Node)?.value === ')'
  );
}

function reportYield(node: TSESTree.YieldExpression, types: OpTypes, context: Rule.RuleContext): void {
  const generator = generatorAround(node);
  if (generator === undefined || node.argument === null) return;
  const share = types.shareAt(node.argument);
  if (share === 'none' || types.yieldsOps(generator)) return;
  const keyword = context.sourceCode.getFirstToken(node as unknown as Rule.Node);
  context.report({
    node: node as unknown as Rule.Node,
    messageId: 'withoutStar',
    fix: (fixer) => (share === 'all' && keyword !== null ? fixer.insertTextAfter(keyword, '*') : null),
  });
}
