// tree-model.ts: what a tree of scopes, timeouts and shields does, told without a scheduler.
//
// It is plain arithmetic on points in time. A body is evaluated with a list of what cancels it and when, outermost first; a scope is evaluated
// again with each earlier failure that is found in it, until there is none.
import type { Plan, Step } from './tree-programs.ts';

interface Cancel {
  readonly frame: object;
  readonly atMs: number;
}

class ModelKilled {
  readonly frame: object;
  constructor(frame: object) {
    this.frame = frame;
  }
}

class ModelFailure {
  readonly text: string;
  readonly later: string[];
  constructor(text: string, later: string[] = []) {
    this.text = text;
    this.later = later;
  }
}

interface Spawned {
  readonly atMs: number;
  readonly step: object & { readonly body: Step[] };
}

interface Evaluation {
  readonly endMs: number;
  readonly outcome: 'ok' | ModelKilled | ModelFailure;
  readonly spawned: readonly Spawned[];
  readonly log: readonly string[];
}

/** One pass over a body. */
class Walk {
  ms: number;
  readonly spawned: Spawned[] = [];
  readonly log: string[] = [];
  readonly #plan: Plan;
  constructor(ms: number, plan: Plan) {
    this.ms = ms;
    this.#plan = plan;
  }

  tell(text: string): void {
    this.log.push(`${this.ms} ${text}`);
  }

  sleep(ms: number, cancels: readonly Cancel[]): void {
    const earliestMs = Math.min(...cancels.map(({ atMs }) => atMs));
    if (earliestMs >= this.ms + ms) {
      this.ms += ms;
      return;
    }
    this.ms = Math.max(this.ms, earliestMs);
    throw new ModelKilled((cancels.find(({ atMs }) => atMs <= this.ms) as Cancel).frame);
  }

  walk(steps: readonly Step[], cancels: readonly Cancel[]): void {
    for (const step of steps) this.#step(step, cancels);
  }

  #step(step: Step, cancels: readonly Cancel[]): void {
    const id = this.#plan.get(step)?.id ?? 0;
    switch (step.do) {
      case 'sleep':
        this.sleep(step.ms, cancels);
        this.tell(`slept ${id}`);
        return;
      case 'fail':
        throw new ModelFailure(`failure ${id}`);
      case 'spawn':
        this.spawned.push({ atMs: this.ms, step });
        return;
      case 'swallow':
        try {
          this.walk(step.body, cancels);
        } catch (error) {
          this.tell(`swallowed ${nameOfModel(error)}`);
        }
        return;
      case 'guard':
        try {
          this.walk(step.body, cancels);
        } finally {
          this.ms += step.cleanupMs;
          this.tell(`cleaned ${id}`);
          // biome-ignore lint/correctness/noUnsafeFinally: so does the body that is modelled
          if (step.fails) throw new ModelFailure(`cleanup ${id}`);
        }
        return;
      case 'limit':
        this.#limit(step.ms, step.otherwise, cancels, id, (inner) => this.sleep(step.sleepMs, inner));
        return;
      case 'timeout':
        this.#limit(step.ms, step.otherwise, cancels, id, (inner) => this.walk(step.body, inner));
        return;
      case 'deadline':
        this.#limit(step.ms - this.ms, step.otherwise, cancels, id, (inner) => this.walk(step.body, inner));
        return;
      case 'shield': {
        const fromMs = Math.max(this.ms, Math.min(...cancels.map(({ atMs }) => atMs)));
        const transparentMs = fromMs + step.graceMs;
        this.walk(
          step.body,
          cancels.map(({ frame, atMs }) => ({ frame, atMs: Math.max(atMs, transparentMs) })),
        );
        return;
      }
      case 'scope':
        this.#scope(step.body, cancels);
        return;
    }
  }

  #limit(
    ms: number,
    otherwise: boolean,
    cancels: readonly Cancel[],
    id: number,
    inner: (cancels: readonly Cancel[]) => void,
  ): void {
    const frame = {};
    try {
      inner([...cancels, { frame, atMs: this.ms + Math.max(ms, 0) }]);
    } catch (error) {
      if (!(error instanceof ModelKilled) || error.frame !== frame) throw error;
      const outer = cancels.find(({ atMs }) => atMs <= this.ms);
      if (outer !== undefined) throw new ModelKilled(outer.frame);
      if (!otherwise) throw new ModelFailure(`timeout ${id}`);
      this.tell(`else ${id}`);
    }
  }

  #scope(body: Step[], cancels: readonly Cancel[]): void {
    const frame = {};
    let failMs = Number.POSITIVE_INFINITY;
    // Whose failure that is: it has happened before the scope dies of it.
    let failed: object | undefined;
    for (;;) {
      const ownFrame = { frame, atMs: failed === frame ? Number.POSITIVE_INFINITY : failMs };
      const own = evaluate(body, this.ms, [...cancels, ownFrame], this.#plan);
      let { outcome } = own;
      let killMs = own.outcome === 'ok' ? Number.POSITIVE_INFINITY : own.endMs;
      // Whoever fails because it is killed from outside is no exception.
      let cause = killMs <= failMs && isOutside(outcome, frame) ? undefined : failed;
      let children = this.#children(own.spawned, failMs, killMs, cause);
      const alive = children.filter(({ endMs, ran }) => ran && endMs >= own.endMs);
      if (outcome === 'ok' && alive.length > 0) {
        // The wait for the children is a blocking point.
        const lastMs = Math.max(...alive.map(({ endMs }) => endMs));
        const pending = [...cancels, ownFrame];
        const cancelledMs = Math.min(...pending.map(({ atMs }) => atMs));
        if (cancelledMs < lastMs) {
          killMs = Math.max(own.endMs, cancelledMs);
          outcome = new ModelKilled((pending.find(({ atMs }) => atMs <= killMs) as Cancel).frame);
          cause = killMs <= failMs && isOutside(outcome, frame) ? undefined : failed;
          children = this.#children(own.spawned, failMs, killMs, cause);
        }
      }
      // At one moment the cause comes first, then whoever fails because of it, in the order of the kills: the children, then the body.
      const everybody = [...children, { ...own, step: frame }];
      const failures = everybody.filter((one) => one.outcome instanceof ModelFailure);
      const isCause = (step: object): number => Number(step === failed || (step === frame && own.endMs < failMs));
      failures.sort((a, b) => a.endMs - b.endMs || isCause(b.step) - isCause(a.step));
      const firstMs = failures[0]?.endMs ?? Number.POSITIVE_INFINITY;
      if (firstMs < failMs) {
        failMs = firstMs;
        failed = failures[0]?.step;
        continue;
      }
      this.log.push(...own.log, ...children.flatMap(({ log }) => log));
      this.ms = Math.max(own.endMs, ...children.map(({ endMs }) => endMs));
      const texts = failures.map((one) => (one.outcome as ModelFailure).text);
      if (texts.length > 0) {
        const nested = (failures[0] as Evaluation).outcome as ModelFailure;
        throw new ModelFailure(nested.text, [...nested.later, ...texts.slice(1)]);
      }
      if (outcome !== 'ok') throw outcome;
      return;
    }
  }

  /** All that are spawned into a scope, by its body or by one another, when it dies at `killMs`, or of the failure of `failed` at `failMs`. */
  #children(
    spawned: readonly Spawned[],
    failMs: number,
    killMs: number,
    failed: object | undefined,
  ): (Evaluation & { ran: boolean; step: object; atMs: number })[] {
    const children = spawned.flatMap(({ atMs, step }) => {
      const own = this.#plan.get(step) as { id: number; killMs: number };
      const { id } = own;
      const fromMs = own.killMs >= atMs ? own.killMs : Number.POSITIVE_INFINITY; // before, there was nobody to kill
      const dyingMs = Math.min(killMs, failMs);
      const endsMs = Math.min(fromMs, step === failed && dyingMs >= failMs ? Number.POSITIVE_INFINITY : dyingMs);
      if (endsMs <= atMs)
        return [{ endMs: atMs, outcome: 'ok' as const, spawned: [], log: [], ran: false, step, atMs }];
      const child = evaluate(step.body, atMs, [{ frame: step, atMs: endsMs }], this.#plan, `child ${id}`);
      return [{ ...child, ran: true, step, atMs }, ...this.#children(child.spawned, failMs, killMs, failed)];
    });
    return children.sort((a, b) => a.atMs - b.atMs);
  }
}

/** Was it killed by something else than the scope whose frame is `frame`? */
function isOutside(outcome: Evaluation['outcome'], frame: object): boolean {
  return outcome instanceof ModelKilled && outcome.frame !== frame;
}

/** What becomes of `body` from `ms` on; `name` is told with the outcome. */
export function evaluate(
  body: readonly Step[],
  ms: number,
  cancels: readonly Cancel[],
  plan: Plan,
  name?: string,
): Evaluation {
  const walk = new Walk(ms, plan);
  let outcome: Evaluation['outcome'] = 'ok';
  try {
    walk.walk(body, cancels);
  } catch (error) {
    if (!(error instanceof ModelKilled || error instanceof ModelFailure)) throw error;
    outcome = error;
  }
  if (name !== undefined) walk.tell(`${name}: ${nameOfModel(outcome)}`);
  return { endMs: walk.ms, outcome, spawned: walk.spawned, log: walk.log };
}

function nameOfModel(outcome: unknown): string {
  if (outcome instanceof ModelKilled) return 'killed';
  return outcome instanceof ModelFailure ? [outcome.text, ...outcome.later].join(' & ') : 'ok';
}
