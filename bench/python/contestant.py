# contestant.py: the gevent contestants, asked for rounds over the line protocol of ../contestant.ts.
#
# Started as `python contestant.py PROGRAM ARGUMENT URL`. Each program does `count` operations and returns its answer, and a total of its own
# where that is not the time it took. Standard input is read by a blocking read between rounds: nothing of gevent runs then.

import json
import sys
import time

import programs


def main():
    name, argument = sys.argv[1], int(sys.argv[2])
    play = programs.start(name, argument)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        count = json.loads(line)["count"]
        cpu_before = time.process_time_ns()
        before = time.perf_counter_ns()
        outcome = play(count)
        total = time.perf_counter_ns() - before
        cpu = time.process_time_ns() - cpu_before
        reply = {"total": total, "count": count}
        if "total" not in outcome:
            reply["cpu"] = cpu
        reply.update(outcome)
        print(json.dumps(reply), flush=True)


main()
