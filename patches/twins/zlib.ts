// zlib.ts: the public names of `tendril/patches/zlib`: those of node:zlib, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
