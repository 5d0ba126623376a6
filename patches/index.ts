// index.ts: the public names of `tendril/patches`, which will make existing Node code cooperative.
//
// Empty until then. Importing it changes nothing, and that stays so: applying a patch is explicit.

export {};
