package corpus

// Identity says whether what a sealed load put into the kernel is what the
// manifest says, and, where the bare object loads as well, what that load put there.
type Identity struct {
	Given    int      `json:"given,omitempty"`    // programs of which the tag is that of the signed instructions
	Compared int      `json:"compared,omitempty"` // programs that are equal in both loads
	Maps     int      `json:"maps,omitempty"`     // maps, likewise
	Moved    []string `json:"moved,omitempty"`    // maps that a program which ran meanwhile may have written to
	Unknown  []string `json:"unknown,omitempty"`  // programs of which nothing could be told, and why
	Unproven []string `json:"unproven,omitempty"` // programs of those that no bare load shows either
	Differs  []string `json:"differs,omitempty"`  // what is not as it should be
}
