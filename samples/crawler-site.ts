// crawler-site.ts: a small web site for the crawler, served by node:http on a free port: a program that knows nothing of greenlets.
//
// Page n links to pages 2n+1 and 2n+2, so all of them can be reached from page 0. Some are slow, some are broken, as pages are.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { callback, type Op } from 'tendril';

export interface SitePlan {
  readonly pages: number;
  /** Pages that never answer. */
  readonly silent?: readonly number[];
  /** Pages that answer with status 500. */
  readonly broken?: readonly number[];
}

export interface Site {
  readonly url: string;
  close(): Op<void>;
}

/** Serve the site. Switches until it listens. */
export function* serveSite({ pages, silent = [], broken = [] }: SitePlan): Op<Site> {
  const server: Server = createServer((request, response) => {
    const page = Number(request.url?.slice(1));
    if (silent.includes(page)) return;
    if (!(page >= 0 && page < pages)) response.statusCode = 404;
    if (broken.includes(page)) response.statusCode = 500;
    const links = [2 * page + 1, 2 * page + 2].filter((next) => next < pages);
    response.setHeader('content-type', 'text/html');
    response.end(`<title>Page ${page}</title>${links.map((next) => `<a href="/${next}">${next}</a>`).join(' ')}`);
  });
  yield* callback<void>((done) => server.listen(0, '127.0.0.1', () => done(null)));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/0`,
    *close() {
      server.closeAllConnections();
      yield* callback<void>((done) => server.close(done));
    },
  };
}
