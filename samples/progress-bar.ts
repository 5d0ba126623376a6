// progress-bar.ts: a bar on the terminal, drawn over itself; nothing at all where the output goes to a file or a pipe.
//
// It draws at most every 40 ms, so that it costs nothing worth mentioning however often it is told.

export interface ProgressBar {
  readonly draw: (done: number, total: number) => void;
  /** Take the bar away. */
  readonly end: () => void;
}

const WIDTH = 30;
const PERIOD_MS = 40;

export function progressBar(label: string): ProgressBar {
  if (!process.stdout.isTTY) return { draw() {}, end() {} };
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  return {
    draw(done, total) {
      if (performance.now() - drawnAtMs < PERIOD_MS) return;
      drawnAtMs = performance.now();
      const filled = Math.round((WIDTH * done) / Math.max(total, 1));
      process.stdout.write(`\r[${'='.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${label} ${done} of ${total} `);
    },
    end() {
      process.stdout.write('\r\u001b[K');
    },
  };
}
