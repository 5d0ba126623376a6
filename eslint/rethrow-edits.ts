// rethrow-edits.ts: the edits that make a `catch` begin with `rethrowKilled(error)`.
//
// They give the clause a binding if it has none, put the call first, and import `rethrowKilled` from 'tendril' if it is not there. A
// clause that takes its error apart (`catch ({ message })`) is left to its author.

import type { TSESTree } from '@typescript-eslint/utils';
import type { Rule } from 'eslint';
import { nameOf, variableNamed } from './expression.ts';

/** What to do, and the name of the error that it is done with. */
export interface RethrowEdits {
  readonly name: string;
  readonly fix: (fixer: Rule.RuleFixer) => Rule.Fix[];
}

const freshNames = ['error', 'thrown', 'caught', 'killedOrError'];

export function rethrowEdits(handler: TSESTree.CatchClause, context: Rule.RuleContext): RethrowEdits | undefined {
  const { param, body } = handler;
  if (param !== null && param.type !== 'Identifier') return undefined;
  const name = param?.name ?? freshNames.find((each) => !isUsed(each, body, context));
  if (name === undefined) return undefined;
  return {
    name,
    fix: (fixer) => [
      ...imported(handler, fixer, context),
      ...(param === null ? [fixer.insertTextBefore(body as Rule.Node, `(${name}) `)] : []),
      firstIn(body, `${functionName(handler, context)}(${name});`, fixer, context),
    ],
  };
}

/** Does the text of `body` mention `name`? Giving that name to the error could change what is meant. */
function isUsed(name: string, body: TSESTree.BlockStatement, context: Rule.RuleContext): boolean {
  return context.sourceCode.getTokens(body as Rule.Node).some((token) => token.value === name);
}

function firstIn(
  { body, range, loc }: TSESTree.BlockStatement,
  call: string,
  fixer: Rule.RuleFixer,
  { sourceCode }: Rule.RuleContext,
): Rule.Fix {
  const [first] = body;
  if (first !== undefined && first.loc.start.line > loc.start.line) {
    const indent = /^\s*/.exec(sourceCode.lines[first.loc.start.line - 1] as string)?.[0] ?? '';
    return fixer.insertTextBefore(first as Rule.Node, `${call}\n${indent}`);
  }
  const brace = range[0] + 1;
  const isEmpty = sourceCode.text.slice(brace, range[1] - 1) === '';
  return fixer.insertTextAfterRange([range[0], brace], ` ${call}${isEmpty ? ' ' : ''}`);
}

/** The local name under which `rethrowKilled` is imported, or its own. */
function functionName(handler: TSESTree.CatchClause, context: Rule.RuleContext): string {
  for (const statement of importsOf(context)) {
    for (const specifier of statement.specifiers) {
      if (nameOf(specifier.local, context) === 'rethrowKilled') return specifier.local.name;
    }
  }
  return variableNamed('rethrowKilled', handler, context)?.name ?? 'rethrowKilled';
}

function imported(handler: TSESTree.CatchClause, fixer: Rule.RuleFixer, context: Rule.RuleContext): Rule.Fix[] {
  if (variableNamed(functionName(handler, context), handler, context) !== undefined) return [];
  for (const statement of importsOf(context)) {
    const last = statement.specifiers.at(-1);
    if (statement.importKind === 'type' || !/^tendril(\/core)?$/.test(statement.source.value)) continue;
    if (last?.type === 'ImportSpecifier') return [fixer.insertTextAfter(last as Rule.Node, ', rethrowKilled')];
  }
  const { ast } = context.sourceCode;
  const line = "import { rethrowKilled } from 'tendril';\n";
  const [first] = ast.body;
  return [first === undefined ? fixer.insertTextAfterRange([0, 0], line) : fixer.insertTextBefore(first, line)];
}

function importsOf({ sourceCode }: Rule.RuleContext): TSESTree.ImportDeclaration[] {
  return (sourceCode.ast.body as unknown as TSESTree.ProgramStatement[]).filter(
    (statement): statement is TSESTree.ImportDeclaration => statement.type === 'ImportDeclaration',
  );
}
