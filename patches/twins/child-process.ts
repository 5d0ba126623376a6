// child-process.ts: the public names of `tendril/patches/child_process`: those of node:child_process, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
