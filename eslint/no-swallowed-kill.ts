// no-swallowed-kill.ts: a `catch` around Ops that may keep Killed to itself.
//
// A kill, and the expiry of a timeout or scope, travels as Killed through every `catch` on its way. One that keeps it makes a greenlet
// that goes on after its death: each further Op throws Killed again, until it is closed by force (rule S3). Reported is a `catch` of a
// `try` block that has a `yield*` of an Op and that does not throw Killed again on every way; catch-path.ts says what counts.
//
// Without type information every `yield*` counts as one of an Op.
// Not seen: `finally` with a `return` (ESLint's no-unsafe-finally does).

import type { TSESTree } from '@typescript-eslint/utils';
import type { Rule } from 'eslint';
import { letsKilledPass } from './catch-path.ts';
import { generatorAround, nodesInSameFunction } from './enclosing-function.ts';
import { OpTypes, typeServicesOf } from './op-type.ts';
import { rethrowEdits } from './rethrow-edits.ts';

/** Report a `catch` around a `yield*` that may swallow Killed. */
export const noSwallowedKill: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Require that a `catch` around Ops lets Killed pass' },
    hasSuggestions: true,
    schema: [],
    messages: {
      swallowed:
        "This 'catch' may swallow Killed, so that a kill or an outer timeout has no effect here. Begin it with rethrowKilled(error), or " +
        'rethrow what you do not handle.',
      rethrow: 'Begin with rethrowKilled({{name}}).',
    },
  },
  create(context) {
    const services = typeServicesOf(context);
    const types = services === undefined ? undefined : new OpTypes(services);
    const waits = (block: TSESTree.BlockStatement): boolean => {
      for (const node of nodesInSameFunction(block, context.sourceCode.visitorKeys)) {
        if (node.type !== 'YieldExpression' || !node.delegate) continue;
        if (types === undefined || types.mayWait(node.argument)) return true;
      }
      return false;
    };
    const listeners = {
      TryStatement({ block, handler }: TSESTree.TryStatement) {
        if (handler === null || generatorAround(handler) === undefined) return;
        if (letsKilledPass(handler, context, types) || !waits(block)) return;
        const edits = rethrowEdits(handler, context);
        const keyword = context.sourceCode.getFirstToken(handler as Rule.Node);
        context.report({
          node: handler as Rule.Node,
          ...(keyword === null ? {} : { loc: keyword.loc }),
          messageId: 'swallowed',
          suggest: edits === undefined ? [] : [{ messageId: 'rethrow', data: { name: edits.name }, fix: edits.fix }],
        });
      },
    };
    return listeners as unknown as Rule.RuleListener;
  },
};
