// Command bench prints how long tbpf takes and how long its peers take.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bench"
)

func main() {
	short := flag.Bool("short", false, "a few rounds, to see that all of it runs; the numbers mean nothing")
	rounds := flag.Int("rounds", 0, "rounds of every contest (default 41)")
	only := flag.String("only", "", "comma-separated parts: "+strings.Join(bench.Parts(), ", "))
	flag.Parse()
	opt := bench.Options{Rounds: *rounds, Out: os.Stdout}
	if *short {
		fmt.Println("short: all of it runs, the numbers mean nothing")
		opt.Rounds = 2
	}
	if *only != "" {
		opt.Only = strings.Split(*only, ",")
	}
	if err := bench.Run(opt); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}
