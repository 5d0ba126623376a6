// paused-stack.ts: the frames of a worker that the inspector has paused, as the text of a stack.
//
// It is what the error of a task has that never ended: the function and the line where its worker was. Who pauses differs: this process asks a thread of its
// own, a child is asked by a thread inside it. What both get are the `callFrames` of the event `Debugger.paused`.

/** Of the inspector's protocol, as far as it is used. */
export interface PausedFrame {
  readonly functionName: string;
  readonly url: string;
  readonly location: {
    readonly scriptId: string;
    readonly lineNumber: number;
    readonly columnNumber?: number | undefined;
  };
}

const mostFrames = 50;

/** One line a frame, innermost first; undefined if there is none. `urls`: of the scripts, by their numbers, since a frame may not say its own. */
export function stackText(paused: readonly PausedFrame[], urls: ReadonlyMap<string, string>): string | undefined {
  const frames = paused.map((frame) => ({ ...frame, url: frame.url || (urls.get(frame.location.scriptId) ?? '') }));
  // What is below the step of a greenlet is this library, in every stack the same.
  const ours = frames.findIndex((frame) => frame.functionName === 'resume' && /core.step\.[jt]s$/.test(frame.url));
  const shown = frames.slice(0, ours < 0 ? mostFrames : Math.min(ours, mostFrames));
  return shown.length === 0 ? undefined : shown.map(line).join('\n');
}

function line({ functionName, url, location }: PausedFrame): string {
  const place = `${url === '' ? '<anonymous>' : url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
  return functionName === '' ? `    at ${place}` : `    at ${functionName} (${place})`;
}
