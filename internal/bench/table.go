package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// writeTable prints the results of a contest, tbpf first.
func writeTable(w io.Writer, c *Contest, results []Result) error {
	fmt.Fprintf(w, "\n%s\n", c.Title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	peak := ""
	if c.Memory {
		peak = "peak MiB\t"
	}
	fmt.Fprintf(t, "wall ms\tCPU ms\t%stbpf/it wall\tCPU\taim\t\n", peak)
	for i := range results {
		r := &results[i]
		fmt.Fprintf(t, "%s\t%s\t", milliseconds(r.Wall), milliseconds(r.CPU))
		if c.Memory {
			fmt.Fprintf(t, "%.1f\t", float64(r.Peak)/(1<<20))
		}
		if i == 0 {
			fmt.Fprint(t, "\t\t\t")
		} else {
			fmt.Fprintf(t, "%.2f\t%.2f\t%s\t", r.WallRatio, r.CPURatio, aim(r))
		}
		fmt.Fprintf(t, "  %s\n", r.Name)
	}
	return t.Flush()
}

func aim(r *Result) string {
	if r.Aim == 0 {
		return "-"
	}
	of, verdict := "wall", "met"
	if r.AimCPU {
		of = "CPU"
	}
	if r.Missed() {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s %.2f %s", of, r.Aim, verdict)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}
