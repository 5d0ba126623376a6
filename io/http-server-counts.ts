// http-server-counts.ts: what an HTTP server counts.
//
// ServerCounts are the counters themselves, which connections and exchanges raise; HttpServerStats is what a user sees of them, at one moment.

export interface ServerCounts {
  /** Requests in all, and those that are being answered. */
  requests: number;
  inFlight: number;
  /** Requests answered with what the client did wrong, and those of them that were too slow. */
  refused: number;
  timedOut: number;
  /** Requests whose client left before its answer. */
  abandoned: number;
  /** Requests whose handler threw, or gave no answer. */
  handlerErrors: number;
}

/** What a server has counted. */
export interface HttpServerStats extends Readonly<ServerCounts> {
  /** Connections: open now, taken in all, and closed unserved because there were too many. */
  readonly connections: number;
  readonly accepted: number;
  readonly dropped: number;
}

export const nothingCounted = (): ServerCounts => ({
  requests: 0,
  inFlight: 0,
  refused: 0,
  timedOut: 0,
  abandoned: 0,
  handlerErrors: 0,
});
