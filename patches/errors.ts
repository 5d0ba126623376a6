// errors.ts: the errors of patches/.
//
// Bad arguments are TypeErrors (core/bad-argument.ts). What is here can happen in a program that is right by itself, but not beside another one.

import { UsageError } from '../core/errors.ts';

/** Another copy of this package has patched the same object. Two copies have two schedulers, and one of them would not be asked. */
export class PatchConflictError extends UsageError {
  override readonly code: string = 'ERR_PATCH_CONFLICT';
  /** Where the other copy is: the URL of one of its modules. */
  readonly owner: string;
  constructor(place: string, owner: string) {
    super(
      `${place} is patched by another copy of tendril, ${owner}: install one copy (npm dedupe), or undo its patch first`,
    );
    this.owner = owner;
  }
}
