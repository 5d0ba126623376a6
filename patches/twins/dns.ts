// dns.ts: the public names of `tendril/patches/dns`: those of node:dns, each call that waits being an Op.
//
// What does not wait is Node's own, passed through.

export {};
