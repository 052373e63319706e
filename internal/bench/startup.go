package bench

import (
	"fmt"
	"os"
)

// loaderSize is what the trusted loader may have at most.
const loaderSize = 4 << 20

// startup measures what every command costs before it does anything, and how
// large the program is.
func (b *bench) startup() error {
	err := b.contest(Contest{
		Title:  "Start-up: version",
		Rounds: b.Rounds * 2, // it takes little time and varies much
		Memory: true,
		Contestants: []Contestant{
			{Process: Process{Name: "tbpf version", Args: []string{b.own("tbpf"), "version"}}},
			{Process: Process{Name: "an empty Go program", Args: []string{b.own("nothing")}}},
			{Process: Process{Name: "openssl version", Args: []string{b.openssl, "version"}}},
			{Process: Process{Name: "bpftool version", Args: b.tool("version")}},
		},
	})
	if err != nil {
		return err
	}
	fmt.Fprint(b.Out, "\nSize, stripped and static, MiB\n")
	for _, p := range []struct {
		name string
		aim  int64
	}{{"tbpf", 0}, {"tbpf-loader", loaderSize}, {"libload", 0}, {"rawload", 0}, {"nothing", 0}} {
		info, err := os.Stat(b.own(p.name))
		if err != nil {
			return err
		}
		verdict := ""
		switch {
		case p.aim > 0 && info.Size() > p.aim:
			verdict = "  4 MiB MISSED"
			b.missed++
		case p.aim > 0:
			verdict = "  4 MiB met"
		}
		fmt.Fprintf(b.Out, "%5.2f  %s%s\n", float64(info.Size())/(1<<20), p.name, verdict)
	}
	return nil
}
