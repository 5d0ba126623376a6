// network.go: the TCP echo with both ends in this process, and the HTTP client.
package main

import (
	"io"
	"net"
	"net/http"
)

const size = 64

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func echo(connection net.Conn) {
	buffer := make([]byte, 65536)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func tcpEcho(connections int, _ string) round {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		for {
			connection, err := listener.Accept()
			must(err)
			go echo(connection)
		}
	}()
	clients := make([]net.Conn, connections)
	for i := range clients {
		clients[i], err = net.Dial("tcp", listener.Addr().String())
		must(err)
	}
	return func(count int) outcome {
		replies := make(chan int64)
		for _, client := range clients {
			go func(client net.Conn) {
				message := make([]byte, size)
				reply := make([]byte, size)
				var bytes int64
				for i := 0; i < count/connections; i++ {
					_, err := client.Write(message)
					must(err)
					n, err := io.ReadFull(client, reply)
					must(err)
					bytes += int64(n)
				}
				replies <- bytes / size
			}(client)
		}
		var answer int64
		for range clients {
			answer += <-replies
		}
		return outcome{answer: answer}
	}
}

func httpGet(atOnce int, url string) round {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, DisableCompression: true}}
	return func(count int) outcome {
		bodies := make(chan int64)
		for i := 0; i < atOnce; i++ {
			go func() {
				var bytes int64
				for i := 0; i < count/atOnce; i++ {
					response, err := client.Get(url)
					must(err)
					n, err := io.Copy(io.Discard, response.Body)
					must(err)
					must(response.Body.Close())
					bytes += n
				}
				bodies <- bytes
			}()
		}
		var answer int64
		for i := 0; i < atOnce; i++ {
			answer += <-bodies
		}
		return outcome{answer: answer}
	}
}
