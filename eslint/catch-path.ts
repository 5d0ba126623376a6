// catch-path.ts: where Killed goes in a `catch` clause: on, or nowhere.
//
// The statements are followed in order, as if the error were Killed. A condition that cannot be judged means that both ways must be
// right. Statements without a jump are passed over: cleaning up before the rethrow is fine, and an Op started there throws Killed
// again by itself, because a kill is level-triggered. Throwing another error instead counts as lost: the greenlet would have failed
// and not have been killed.

import type { TSESTree } from '@typescript-eslint/utils';
import type { Rule, SourceCode } from 'eslint';
import { nodesInSameFunction } from './enclosing-function.ts';
import { unwrapped } from './expression.ts';
import { KilledTest } from './killed-test.ts';
import type { OpTypes } from './op-type.ts';

/** `thrown`: Killed was rethrown. `lost`: control left, or another error was thrown. `through`: the next statement runs. */
type Outcome = 'thrown' | 'lost' | 'through';

/** Does the `catch` clause throw the error again, whatever else it does, if the error is Killed? */
export function letsKilledPass(
  handler: TSESTree.CatchClause,
  context: Rule.RuleContext,
  types: OpTypes | undefined,
): boolean {
  if (handler.param?.type !== 'Identifier') return false;
  const path = new CatchPath(new KilledTest(context, types), context.sourceCode.visitorKeys);
  path.test.names.add(handler.param.name);
  return path.along(handler.body.body) === 'thrown';
}

class CatchPath {
  readonly test: KilledTest;
  readonly #keys: SourceCode['visitorKeys'];

  constructor(test: KilledTest, keys: SourceCode['visitorKeys']) {
    this.test = test;
    this.#keys = keys;
  }

  along(statements: readonly TSESTree.Statement[]): Outcome {
    for (const statement of statements) {
      const outcome = this.#after(statement);
      if (outcome !== 'through') return outcome;
    }
    return 'through';
  }

  #after(statement: TSESTree.Statement): Outcome {
    switch (statement.type) {
      case 'ExpressionStatement':
        return this.test.isCallOf('rethrowKilled', unwrapped(statement.expression)) ? 'thrown' : 'through';
      case 'VariableDeclaration':
        for (const { id, init } of statement.declarations) {
          if (id.type === 'Identifier' && this.test.isError(init)) this.test.names.add(id.name);
        }
        return 'through';
      case 'ThrowStatement':
        return this.#throwing(statement.argument);
      case 'ReturnStatement':
      case 'BreakStatement':
      case 'ContinueStatement':
        return 'lost';
      case 'BlockStatement':
        return this.along(statement.body);
      case 'LabeledStatement':
        return this.#after(statement.body);
      case 'IfStatement':
        return this.#branching(
          statement.test,
          () => this.#after(statement.consequent),
          () => (statement.alternate === null ? 'through' : this.#after(statement.alternate)),
        );
      case 'SwitchStatement':
        return this.#switching(statement);
      case 'TryStatement':
        return this.#trying(statement);
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
        return this.#jumpsOut(statement.body, true) ? 'lost' : 'through';
      default:
        return 'through'; // declarations
    }
  }

  #throwing(argument: TSESTree.Expression): Outcome {
    const bare = unwrapped(argument);
    if (bare.type !== 'ConditionalExpression') return this.test.isError(bare) ? 'thrown' : 'lost';
    return this.#branching(
      bare.test,
      () => this.#throwing(bare.consequent),
      () => this.#throwing(bare.alternate),
    );
  }

  #branching(test: TSESTree.Expression, yes: () => Outcome, no: () => Outcome): Outcome {
    const truth = this.test.truthOf(test);
    if (truth !== undefined) return truth ? yes() : no();
    return either(yes(), no());
  }

  /** A switch over `error.code` or `error.name` takes one way; of any other, each way must be right. */
  #switching({ discriminant, cases }: TSESTree.SwitchStatement): Outcome {
    const value = this.test.propertyOf(discriminant);
    const from = (start: number): Outcome => {
      const statements = start < 0 ? [] : cases.slice(start).flatMap((each) => each.consequent);
      const end = statements.findIndex((each) => each.type === 'BreakStatement' && each.label === null);
      return this.along(end < 0 ? statements : statements.slice(0, end));
    };
    const byDefault = cases.findIndex((each) => each.test === null);
    if (value !== undefined && cases.every((each) => each.test === null || each.test.type === 'Literal')) {
      const named = cases.findIndex((each) => each.test?.type === 'Literal' && each.test.value === value);
      return from(named < 0 ? byDefault : named);
    }
    return cases.map((_, index) => from(index)).reduce(either, from(byDefault));
  }

  #trying({ block, handler, finalizer }: TSESTree.TryStatement): Outcome {
    let outcome = this.along(block.body);
    if (handler !== null && outcome === 'thrown') {
      // Thrown into the inner handler, which has it under a name of its own.
      if (handler.param?.type === 'Identifier') this.test.names.add(handler.param.name);
      outcome = this.along(handler.body.body);
    } else if (handler !== null && this.#jumpsOut(handler.body, false)) {
      outcome = 'lost';
    }
    const last = finalizer === null ? 'through' : this.along(finalizer.body);
    return last === 'through' ? outcome : last;
  }

  /** Can control leave `body` other than by an error? In a loop, an unlabelled break or continue stays inside. */
  #jumpsOut(body: TSESTree.Statement, inLoop: boolean): boolean {
    for (const node of nodesInSameFunction(body, this.#keys)) {
      if (node.type === 'ReturnStatement') return true;
      if ((node.type === 'BreakStatement' || node.type === 'ContinueStatement') && !(inLoop && node.label === null)) {
        return true;
      }
    }
    return false;
  }
}

function either(one: Outcome, other: Outcome): Outcome {
  if (one === other) return one;
  return one === 'lost' || other === 'lost' ? 'lost' : 'through';
}
