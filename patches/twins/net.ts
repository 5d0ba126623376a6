// net.ts: the public names of `tendril/patches/net`: those of node:net, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
