// op-type.ts: is the type of an expression an Op of tendril?
//
// It asks the structure and not the name: an Op is iterable, and what its iterator yields carries tendril's brand (`Trap` in
// core/op.ts), so Waitables, Ops of the user and generators that wait are all found, and arrays, maps and ordinary generators are
// not. A generator that never yields (`Generator<never, ...>`) counts too: calling it without `yield*` does nothing at all.
//
// A thenable is no Op here. `tendril/patches` can make promises iterable, but a promise has started by itself.
//
// No flag or function of the compiler is imported: its numbers differ between versions, and the user brings the version.

import type { ParserServicesWithTypeInformation, TSESTree } from '@typescript-eslint/utils';
import type { Rule } from 'eslint';
import type { Type, TypeChecker, Symbol as TypeSymbol } from 'typescript';

/** How many members of a union are Ops. A type that is no union is all or none. */
export type Share = 'all' | 'some' | 'none';

// A property that is keyed by a unique symbol is called `__@<name of the symbol>@<number>` in the checker.
const iteratorKey = '__@iterator@';
const brandKey = '__@trapBrand@';

/** The parser's type information, or undefined if it was not asked for any. */
export function typeServicesOf(context: Rule.RuleContext): ParserServicesWithTypeInformation | undefined {
  const services = context.sourceCode.parserServices as Partial<ParserServicesWithTypeInformation> | undefined;
  return services?.program === undefined || services.program === null
    ? undefined
    : (services as ParserServicesWithTypeInformation);
}

/** The questions about Ops that the rules ask of the checker. One per linted file. */
export class OpTypes {
  readonly #services: ParserServicesWithTypeInformation;
  readonly #checker: TypeChecker;
  readonly #known = new WeakMap<Type, boolean>();

  constructor(services: ParserServicesWithTypeInformation) {
    this.#services = services;
    this.#checker = services.program.getTypeChecker();
  }

  typeOf(node: TSESTree.Node): Type {
    return this.#services.getTypeAtLocation(node);
  }

  /** Is the value of `node` an Op: always, sometimes, never? */
  shareAt(node: TSESTree.Node): Share {
    return this.#share(this.typeOf(node));
  }

  /** Could `yield* node` wait? Yes for an Op, and for what has no type to tell. */
  mayWait(node: TSESTree.Node): boolean {
    const type = this.typeOf(node);
    return this.#share(type) !== 'none' || this.#isNamed(type, 'any');
  }

  /** Is `node` written where the caller expects a function whose result it ignores (it returns `void`)? */
  resultIsIgnored(node: TSESTree.Node): boolean {
    const results = this.#expectedResults(node);
    return results.length > 0 && results.every((result) => this.#isNamed(result, 'void'));
  }

  /** May the generator function `node` yield Ops as its values? By its annotation, or by what is expected where it is written. */
  yieldsOps(node: TSESTree.FunctionDeclaration | TSESTree.FunctionExpression): boolean {
    const annotated = node.returnType?.typeAnnotation;
    const results = annotated === undefined ? this.#expectedResults(node) : [this.typeOf(annotated)];
    return results.some((result) => this.#yieldTypes(result, 'next').some((each) => this.#share(each) !== 'none'));
  }

  /** The type that the type guard `node` (a call) narrows its argument to, if it is one. */
  guardedType(node: TSESTree.CallExpression): Type | undefined {
    const call = this.#services.esTreeNodeToTSNodeMap.get(node);
    const signature = this.#checker.getResolvedSignature(call as Parameters<TypeChecker['getResolvedSignature']>[0]);
    return signature && this.#checker.getTypePredicateOfSignature(signature)?.type;
  }

  #expectedResults(node: TSESTree.Node): readonly Type[] {
    const tsNode = this.#services.esTreeNodeToTSNodeMap.get(node);
    const expected = this.#checker.getContextualType(tsNode as Parameters<TypeChecker['getContextualType']>[0]);
    return membersOf(expected).flatMap((member) => member.getCallSignatures().map((each) => each.getReturnType()));
  }

  #share(type: Type): Share {
    const members = membersOf(this.#checker.getBaseConstraintOfType(type) ?? type);
    const ops = members.filter((member) => this.#isOp(member)).length;
    if (ops === 0) return 'none';
    return ops === members.length ? 'all' : 'some';
  }

  #isOp(type: Type): boolean {
    const known = this.#known.get(type);
    if (known !== undefined) return known;
    this.#known.set(type, false); // a type whose iterator yields itself ends here
    const isOp = type.getProperty('then') === undefined && this.#waits(type);
    this.#known.set(type, isOp);
    return isOp;
  }

  #waits(type: Type): boolean {
    return this.#yieldTypes(type, iteratorKey).some(
      (yielded) =>
        keyed(yielded, brandKey) !== undefined ||
        (this.#isNamed(yielded, 'never') && type.getSymbol()?.name === 'Generator'),
    );
  }

  /** What iterating over a `type` yields. It must have `[Symbol.iterator]`, or may be the iterator itself. */
  #yieldTypes(type: Type, from: 'next' | typeof iteratorKey): readonly Type[] {
    const iterable = keyed(type, iteratorKey);
    if (iterable === undefined && from === iteratorKey) return [];
    const iterators = iterable === undefined ? [type] : this.#results(iterable);
    return iterators.flatMap((iterator) => {
      const next = iterator.getProperty('next');
      if (next === undefined) return [];
      return this.#results(next)
        .flatMap(membersOf)
        .flatMap((result) => {
          const done = result.getProperty('done');
          const value = result.getProperty('value');
          if (value === undefined || (done !== undefined && this.#isNamed(this.#typeOfSymbol(done), 'true'))) return [];
          return membersOf(this.#typeOfSymbol(value));
        });
    });
  }

  #results(method: TypeSymbol): readonly Type[] {
    return this.#typeOfSymbol(method)
      .getCallSignatures()
      .map((signature) => signature.getReturnType());
  }

  #typeOfSymbol(symbol: TypeSymbol): Type {
    return this.#checker.getTypeOfSymbol(symbol);
  }

  #isNamed(type: Type, name: 'any' | 'never' | 'true' | 'void'): boolean {
    // Printing is only for types that have no properties: of a large one it would be slow.
    return type.getSymbol() === undefined && !type.isUnionOrIntersection() && this.#checker.typeToString(type) === name;
  }
}

function membersOf(type: Type | undefined): readonly Type[] {
  if (type === undefined) return [];
  return type.isUnion() ? type.types : [type];
}

function keyed(type: Type, key: string): TypeSymbol | undefined {
  return type.getProperties().find((property) => String(property.escapedName).startsWith(key));
}
