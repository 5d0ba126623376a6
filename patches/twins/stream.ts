// stream.ts: the public names of `tendril/patches/stream`: those of node:stream, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
