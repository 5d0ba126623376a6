// crawler.ts: follow the links of a web site, several pages at a time, with a limit for each page and one for all of them.
//
// Each page is a greenlet in one scope, which ends when the last has: a page spawns the pages that it links to, and nobody counts. A semaphore bounds how
// many are fetched at once. A page that is too slow costs only itself; when the time for all of it is over, what is still under way is
// killed, and its connections with it.
//
// How to run: npx tsx samples/crawler.ts                          a site that it serves itself
//             npx tsx samples/crawler.ts http://127.0.0.1:8080/   yours

import { http, main, type Op, rethrowKilled, type Scope, Semaphore, scope, timeout } from 'tendril';
import { serveSite } from './crawler-site.ts';
import { progressBar } from './progress-bar.ts';

export interface CrawlOptions {
  readonly parallel?: number;
  readonly pageMs?: number;
  readonly totalMs?: number;
  readonly onProgress?: (done: number, found: number) => void;
}
export interface Crawl {
  /** How long each page took that was fetched, and why the others were not. */
  readonly pages: Map<string, { readonly ms: number }>;
  readonly failures: Map<string, string>;
  complete: boolean;
}

/** Fetch `startUrl` and every page of its site that can be reached from there. */
export function* crawl(startUrl: string, options: CrawlOptions = {}): Op<Crawl> {
  const { parallel = 8, pageMs = 5_000, totalMs = 60_000, onProgress } = options;
  const found = new Set([startUrl]);
  const result: Crawl = { pages: new Map(), failures: new Map(), complete: false };
  const slots = new Semaphore(parallel, { name: 'slots of the crawler' });

  function* visit(url: string, s: Scope): Op<void> {
    try {
      const { ms, links } = yield* slots.use(timeout(pageMs, fetchPage(url)));
      result.pages.set(url, { ms });
      for (const link of links) {
        if (found.has(link) || new URL(link).origin !== new URL(startUrl).origin) continue;
        found.add(link);
        s.spawn(visit, link, s);
      }
    } catch (error) {
      rethrowKilled(error);
      result.failures.set(url, (error as { code?: string }).code ?? String(error));
    }
    onProgress?.(result.pages.size + result.failures.size, found.size);
  }
  const all = scope(function* site(s): Op<true> {
    s.spawn(visit, startUrl, s);
    return true;
  });
  result.complete = yield* timeout(totalMs, all, { else: false });
  return result;
}

function* fetchPage(url: string): Op<{ ms: number; links: string[] }> {
  const startedMs = performance.now();
  const response = yield* http.get(url);
  const text = yield* response.text();
  if (!response.ok) throw Object.assign(new Error('no page'), { code: `HTTP ${response.status}` });
  const links = [...text.matchAll(/<a href="([^"]*)"/g)].map((match) => new URL(match[1] as string, url).href);
  return { ms: performance.now() - startedMs, links };
}

function* program(): Op<void> {
  const site = yield* serveSite({ pages: 40, silent: [17], broken: [5, 30] });
  const bar = progressBar('pages');
  const { pages, failures } = yield* crawl(process.argv[2] ?? site.url, {
    pageMs: 300,
    totalMs: 10_000,
    onProgress: bar.draw,
  });
  bar.end();
  console.log(`${pages.size} pages`);
  for (const [url, reason] of [...failures].sort()) console.log(`${new URL(url).pathname}: ${reason}`);
  yield* site.close();
}

if (process.argv[1] === import.meta.filename) main(program);
