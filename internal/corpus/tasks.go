package corpus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Tasks is what the guest shall do; file names are relative to the file that
// holds this as JSON. What it prints ReadAnswer reads.
type Tasks struct {
	Certificate string `json:"certificate"`
	Tasks       []Task `json:"tasks"`
}

// Task is one object.
type Task struct {
	Object   string `json:"object"`
	Sealed   string `json:"sealed,omitempty"`   // empty if sign refused it
	Without  string `json:"without,omitempty"`  // the same, sealed without optional programs
	Skeleton string `json:"skeleton,omitempty"` // of bpftool, for this kernel; empty if there is none
}

// Answer is what the guest prints: an outcome for each task, in their order.
// They come one by one, so that a kernel that dies says of which object.
type Answer struct {
	Release string // of the kernel
	Tried   []Tried
}

// Tried is what became of one object, and whether what is in the kernel is what
// was signed.
type Tried struct {
	Outcome
	Identity Identity `json:"identity"`
}

// ReadAnswer reads what a guest printed, which may end early.
func ReadAnswer(r io.Reader) (*Answer, error) {
	decoder := json.NewDecoder(r)
	answer := new(Answer)
	if err := decoder.Decode(&answer.Release); err != nil {
		return answer, fmt.Errorf("read answer of the guest: %w", err)
	}
	for {
		var tried Tried
		switch err := decoder.Decode(&tried); {
		case errors.Is(err, io.EOF):
			return answer, nil
		case err != nil:
			return answer, fmt.Errorf("read outcome %d of the guest: %w", len(answer.Tried), err)
		}
		answer.Tried = append(answer.Tried, tried)
	}
}
