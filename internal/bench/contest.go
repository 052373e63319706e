package bench

import (
	"fmt"
	"slices"
	"time"
)

// Contest is one task and who does it. The first contestant is tbpf.
type Contest struct {
	Title       string
	Contestants []Contestant
	Rounds      int
	Memory      bool // measure the peak memory too
}

// Contestant is one way to do the task.
type Contestant struct {
	Process
	// Aim is what tbpf's time may be at most, as a multiple of this one's;
	// 0: none, the ratio is printed and that is all.
	Aim float64
	// AimCPU makes the aim one of CPU time. It is what work costs that is
	// spread over as many CPUs as there are.
	AimCPU bool
}

// Result is a contestant's medians.
type Result struct {
	Name      string
	Wall, CPU time.Duration
	// WallRatio and CPURatio are medians of tbpf's time over this one's in the
	// same round.
	WallRatio, CPURatio float64
	Peak                int64 // bytes; 0: not measured
	Aim                 float64
	AimCPU              bool
}

// Missed reports whether an aim was missed.
func (r *Result) Missed() bool {
	ratio := r.WallRatio
	if r.AimCPU {
		ratio = r.CPURatio
	}
	return r.Aim > 0 && ratio > r.Aim
}

// Run runs every contestant once a round. Each round begins with another one,
// so that nobody always runs after the same neighbour. The first round warms
// the caches and does not count.
func (c *Contest) Run() ([]Result, error) {
	n := len(c.Contestants)
	samples := make([][]Sample, n)
	for round := range c.Rounds + 1 {
		for i := range n {
			k := (i + round) % n
			s, err := c.Contestants[k].Run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Title, err)
			}
			if round > 0 {
				samples[k] = append(samples[k], s)
			}
		}
	}
	results := make([]Result, n)
	for k := range results {
		results[k] = summarize(samples[0], samples[k])
		results[k].Name, results[k].Aim, results[k].AimCPU = c.Contestants[k].Name, c.Contestants[k].Aim, c.Contestants[k].AimCPU
		if !c.Memory {
			continue
		}
		peak, err := c.Contestants[k].PeakMemory()
		if err != nil {
			return nil, fmt.Errorf("%s: peak memory: %w", c.Title, err)
		}
		results[k].Peak = peak
	}
	return results, nil
}

// summarize makes medians of one contestant's samples, and of the ratios of
// ours to them.
func summarize(ours, theirs []Sample) Result {
	var wall, cpu []time.Duration
	var wallRatio, cpuRatio []float64
	for i, s := range theirs {
		wall, cpu = append(wall, s.Wall), append(cpu, s.CPU)
		wallRatio = append(wallRatio, float64(ours[i].Wall)/float64(s.Wall))
		cpuRatio = append(cpuRatio, float64(ours[i].CPU)/float64(max(s.CPU, 1)))
	}
	return Result{Wall: median(wall), CPU: median(cpu), WallRatio: median(wallRatio), CPURatio: median(cpuRatio)}
}

// median of at least one value; of an even number the greater of the middle two.
func median[T time.Duration | float64](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
