// timeouts.go: what a timer adds to a receive, armed and stopped; the same receives with and without, in turns.
package main

import "time"

const limit = time.Minute
const turns = 8

func receiveWithin(channel chan int) int {
	timer := time.NewTimer(limit)
	select {
	case value := <-channel:
		timer.Stop()
		return value
	case <-timer.C:
		panic("a timeout of this benchmark fired")
	}
}

// Receives of a value that is there already, or that another goroutine sends when asked.
func receives(count int, parking bool, limited bool) int64 {
	channel := make(chan int, 1024)
	credit := make(chan int, 1024)
	feed := channel
	if parking {
		feed = credit
		go func() {
			for range credit {
				channel <- 1
			}
		}()
	}
	var sum int64
	for i := 0; i < count; i++ {
		feed <- 1
		if limited {
			sum += int64(receiveWithin(channel))
		} else {
			sum += int64(<-channel)
		}
	}
	close(credit)
	return sum
}

func timeoutDifference(count int, parking bool) outcome {
	var total time.Duration
	var answer int64
	for turn := 0; turn < turns; turn++ {
		start := time.Now()
		receives(count/turns, parking, false)
		middle := time.Now()
		answer += receives(count/turns, parking, true)
		total += time.Since(middle) - middle.Sub(start)
	}
	return outcome{answer: answer, total: float64(total.Nanoseconds()), timed: true}
}

func timeoutReady(count int) outcome   { return timeoutDifference(count, false) }
func timeoutParking(count int) outcome { return timeoutDifference(count, true) }
