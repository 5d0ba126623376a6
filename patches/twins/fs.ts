// fs.ts: the public names of `tendril/patches/fs`: those of node:fs, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
