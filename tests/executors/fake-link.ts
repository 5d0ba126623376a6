// fake-link.ts: a link whose other side is the test: `posted` is what it was sent, `sink` takes what it sends.
import type { Link, LinkMessage, LinkSink } from '../../executors/channels/link.ts';

export class FakeLink implements Link {
  readonly to = 'nowhere';
  readonly transfers = false;
  readonly posted: unknown[] = [];
  sink: LinkSink | undefined = undefined;
  start(sink: LinkSink): void {
    this.sink = sink;
  }
  post(message: LinkMessage): void {
    this.posted.push(message);
  }
  close(): void {
    this.posted.push('closed');
  }
}
