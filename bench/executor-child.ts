// executor-child.ts: the child of the bare peer of bench/executors.ts: fork, send, and a function's name.
import { work } from './executor-work.ts';

process.on('message', ({ id, name, value }: { id: number; name: string; value: number }) => {
  process.send?.({ id, value: work[name]?.(value) });
});
process.on('disconnect', () => process.exit());
