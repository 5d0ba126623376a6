// choices.ts: where every decision of a simulated world comes from: one list of numbers.
//
// Who runs next, which arm a select tries first, how long a segment travels, whether a link breaks, what the test's own `world.pick` gives: each is a
// number from 0 to count - 1. 0 is always the mildest: the oldest greenlet, no preemption, no delay, no fault. So a run can be written down
// as the list of its numbers, be replayed from it, and be made simpler by making the list shorter and its numbers smaller.
//
// Where there is only one possibility nothing is decided, and nothing is written down.
// Source: Hypothesis (the choice sequence and its shrinking).

export interface Choices {
  /**
   * A number from 0 to `count` - 1. `what` is a short constant name of the kind of decision, for traces. `odds` says how likely something
   * else than 0 should be where numbers are drawn at random; all numbers are equally likely without it.
   */
  choose(count: number, what: string, odds?: number): number;
}
