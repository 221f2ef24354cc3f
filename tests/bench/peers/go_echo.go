// Go: a goroutine a connection.
package main

import (
	"fmt"
	"net"
	"os"
)

func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 64*1024)
	for {
		size, err := connection.Read(buffer)
		if size > 0 {
			if _, failure := connection.Write(buffer[:size]); failure != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		if connection, err := listener.Accept(); err == nil {
			go serve(connection)
		}
	}
}
