// handles.ts: every handle that we hold open, by kind: the registry behind "handles left over".
//
// An object enters when its handle exists and leaves when the handle is given up, in the same call, so the counts are exact at any moment. Handles that
// others open in this process are not here.
//
// Invariant: the objects in `open` are those whose operating system handle is ours to close.

interface Named {
  toString(): string;
}

const open = new Map<Named, string>();

/** Note that `object` holds a handle. @internal */
export function handleOpened(kind: string, object: Named): void {
  open.set(object, kind);
}

/** Note that `object` holds none any more. Idempotent. @internal */
export function handleClosed(object: Named): void {
  open.delete(object);
}

/** The objects that hold a handle now, each with its kind. @internal */
export function handleObjects(): ReadonlyMap<Named, string> {
  return open;
}

/** What is open now: how many of each kind, in all, and their names. */
export interface OpenHandles {
  readonly total: number;
  /** By kind: `socket`, `listener`, ... Kinds of which there are none are left out. */
  readonly counts: Readonly<Record<string, number>>;
  /** One line for each, such as `socket 127.0.0.1:4000 -> 127.0.0.1:80`; at most 100. */
  readonly names: readonly string[];
}

/** Say which handles this library holds open in this process. Never switches. */
export function openHandles(): OpenHandles {
  const counts: Record<string, number> = {};
  const names: string[] = [];
  for (const [object, kind] of open) {
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (names.length < 100) names.push(object.toString());
  }
  return { total: open.size, counts, names };
}
