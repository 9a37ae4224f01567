// go_library.go - a shared library with a Go runtime: goroutines that burn CPU, on threads that
// Go makes, with SIGURG as Go's own signal for pushing them aside.
//
// SPDX-License-Identifier: MIT
package main

import "C"

const allocationBytes = 4096
const loopsPerAllocation = 100000

var kept []byte

// Burns in so many goroutines and waits for them.
//
//export go_burn
func go_burn(goroutines, loops C.int) C.ulonglong {
	sums := make(chan uint64)
	for i := 0; i < int(goroutines); i++ {
		go func() {
			var sum uint64
			for n := 0; n < int(loops); n++ {
				sum += uint64(n) * 2654435761
				if n%loopsPerAllocation == 0 {
					kept = make([]byte, allocationBytes)
				}
			}
			sums <- sum
		}()
	}
	var total uint64
	for i := 0; i < int(goroutines); i++ {
		total += <-sums
	}
	return C.ulonglong(total)
}

func main() {}
