// main.go: the Go contestants, asked for rounds over the line protocol of ../contestant.ts.
//
// Started as `go-contestant PROGRAM ARGUMENT URL`. Each program does `count` operations and returns its answer, and a total of its own
// where that is not the time it took. GOMAXPROCS is set by the runner: 1, to be on one core as the others are, or left alone.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// outcome of a round; total is left at 0 where the elapsed time is the measure.
type outcome struct {
	answer int64
	total  float64
	timed  bool
}

type round func(count int) outcome

// Programs by name; each makes its round from the argument and the URL.
var programs = map[string]func(argument int, url string) round{
	"channel-round-trip": always(channelRoundTrip),
	"queue-round-trip":   always(queueRoundTrip),
	"producer-consumer":  always(producerConsumer),
	"yield":              always(yield),
	"spawn-join":         always(spawnJoin),
	"skynet":             always(skynet),
	"parked-bytes":       always(parkedBytes),
	"timeout-ready":      always(timeoutReady),
	"timeout-parking":    always(timeoutParking),
	"select-parked":      always(selectParked),
	"select-ready":       always(selectReady),
	"interval-ticks":     always(intervalTicks),
	"tcp-echo":           tcpEcho,
	"http-get":           httpGet,
}

func always(play round) func(int, string) round {
	return func(int, string) round { return play }
}

func cpuNanoseconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	argument, _ := strconv.Atoi(os.Args[2])
	start, known := programs[os.Args[1]]
	if !known {
		fmt.Fprintln(os.Stderr, "error: no program", os.Args[1])
		os.Exit(1)
	}
	play := start(argument, os.Args[3])
	fmt.Println(`{"ready": true}`)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var request struct{ Count int }
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			panic(err)
		}
		cpuBefore := cpuNanoseconds()
		before := time.Now()
		result := play(request.Count)
		total := float64(time.Since(before).Nanoseconds())
		if result.timed {
			total = result.total
		}
		fmt.Printf("{\"total\": %f, \"count\": %d, \"answer\": %d", total, request.Count, result.answer)
		if !result.timed {
			fmt.Printf(", \"cpu\": %d", cpuNanoseconds()-cpuBefore)
		}
		fmt.Println("}")
	}
}
