// channels.go: round trips, messages, select and ticks over channels.
package main

import (
	"runtime"
	"time"
)

func pingPong(there, back chan int, count int) outcome {
	go func() {
		for i := 0; i < count; i++ {
			back <- <-there + 1
		}
	}()
	value := 0
	for i := 0; i < count; i++ {
		there <- value
		value = <-back
	}
	return outcome{answer: int64(value)}
}

func channelRoundTrip(count int) outcome {
	return pingPong(make(chan int), make(chan int), count)
}

func queueRoundTrip(count int) outcome {
	return pingPong(make(chan int, 1024), make(chan int, 1024), count)
}

func producerConsumer(count int) outcome {
	channel := make(chan int)
	go func() {
		for i := 0; i < count; i++ {
			channel <- i
		}
	}()
	var sum int64
	for i := 0; i < count; i++ {
		sum += int64(<-channel)
	}
	return outcome{answer: sum}
}

// One receive from whichever of ten channels has a value.
func receiveAny(channels *[10]chan int) (int, int) {
	select {
	case value := <-channels[0]:
		return 0, value
	case value := <-channels[1]:
		return 1, value
	case value := <-channels[2]:
		return 2, value
	case value := <-channels[3]:
		return 3, value
	case value := <-channels[4]:
		return 4, value
	case value := <-channels[5]:
		return 5, value
	case value := <-channels[6]:
		return 6, value
	case value := <-channels[7]:
		return 7, value
	case value := <-channels[8]:
		return 8, value
	case value := <-channels[9]:
		return 9, value
	}
}

func selectParked(count int) outcome {
	var channels [10]chan int
	for i := range channels {
		channels[i] = make(chan int)
	}
	go func() {
		for i := 0; i < count; i++ {
			channels[i%10] <- i
			runtime.Gosched()
		}
	}()
	var sum int64
	for i := 0; i < count; i++ {
		_, value := receiveAny(&channels)
		sum += int64(value)
	}
	return outcome{answer: sum}
}

func selectReady(count int) outcome {
	var channels [10]chan int
	for i := range channels {
		channels[i] = make(chan int, 1)
		channels[i] <- 1
	}
	var sum int64
	for i := 0; i < count; i++ {
		at, value := receiveAny(&channels)
		channels[at] <- value
		sum += int64(value)
	}
	return outcome{answer: sum}
}

// Ticks of 1 ms during a second of ping-pong.
func intervalTicks(int) outcome {
	ticks := 0
	stop := make(chan bool)
	stopped := make(chan bool)
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				ticks++
			case <-stop:
				stopped <- true
				return
			}
		}
	}()
	deadline := time.Now().Add(time.Second)
	for time.Now().Before(deadline) {
		pingPong(make(chan int), make(chan int), 64)
	}
	stop <- true
	<-stopped
	return outcome{answer: 0, total: float64(ticks), timed: true}
}
