// tasks.ts: the part of the word count that computes: the words of one piece of a file.
//
// A piece travels as a path and a range, not as text: each worker reads its own. Imported by the program, for the references, and by each worker.

import { files, type Op } from 'tendril';
import { defineTasks } from 'tendril/executors';

/** A range of bytes of a file that begins and ends between two lines. */
export interface Piece {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

export const tasks = defineTasks(import.meta.url, {
  *countWords({ path, start, end }: Piece): Op<Map<string, number>> {
    const file = yield* files.open(path);
    let text: string;
    try {
      file.seek(start);
      text = (yield* file.readExactly(end - start)).toString('utf8');
    } finally {
      file.close();
    }
    const counts = new Map<string, number>();
    for (const [word] of text.toLowerCase().matchAll(/\p{L}+(?:'\p{L}+)?/gu))
      counts.set(word, (counts.get(word) ?? 0) + 1);
    return counts;
  },
});
