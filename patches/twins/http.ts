// http.ts: the public names of `tendril/patches/http`: those of node:http, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
