// goroutines.go: what a goroutine costs: to yield, to start and wait for, by the million, parked.
package main

import (
	"runtime"
	"time"
)

func takeTurns(count int, turns *int64) {
	for i := 0; i < count; i++ {
		runtime.Gosched()
		*turns++
	}
}

func yield(count int) outcome {
	var mine, others int64
	done := make(chan bool)
	go func() {
		takeTurns(count/2, &others)
		done <- true
	}()
	takeTurns(count/2, &mine)
	<-done
	return outcome{answer: mine + others}
}

func spawnJoin(count int) outcome {
	var sum int64
	for i := 0; i < count; i++ {
		result := make(chan int)
		go func(i int) { result <- i }(i)
		sum += int64(<-result)
	}
	return outcome{answer: sum}
}

func skynetNode(parent chan int64, number int64, size int64) {
	if size == 1 {
		parent <- number
		return
	}
	children := make(chan int64)
	for i := int64(0); i < 10; i++ {
		go skynetNode(children, number+i*size/10, size/10)
	}
	var sum int64
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	parent <- sum
}

func skynet(count int) outcome {
	top := make(chan int64)
	go skynetNode(top, 0, int64(count))
	return outcome{answer: <-top}
}

var parkedOn = make(chan int)

func memoryInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

func parkedBytes(count int) outcome {
	before := memoryInUse()
	running := runtime.NumGoroutine()
	for i := 0; i < count; i++ {
		go func() { <-parkedOn }()
	}
	time.Sleep(100 * time.Millisecond)
	total := float64(memoryInUse()) - float64(before)
	return outcome{answer: int64(runtime.NumGoroutine() - running), total: total, timed: true}
}
