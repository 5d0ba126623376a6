// readline.ts: the public names of `tendril/patches/readline`: those of node:readline, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
