// timers.ts: the public names of `tendril/patches/timers`: those of node:timers, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
