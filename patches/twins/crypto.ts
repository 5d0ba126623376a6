// crypto.ts: the public names of `tendril/patches/crypto`: those of node:crypto, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
