// Package report is what the commands print: one JSON document per command,
// with its schema in docs/json, and the pages for people that say the same.
//
// Every string that comes from a file is printed by Name or Text, in JSON as
// in text, so that no name can move the cursor, reorder a line or forge one.
//
// The commands import it. It imports manifest, keys, seal, verify and loader, and
// never sign, keys/signer, cobra or sigstore.
package report

import (
	"encoding/json"
	"io"
)

// SchemaVersion is the version of every document. It changes when a field
// changes its meaning or goes; new fields do not change it.
const SchemaVersion = 1

// Head begins every document.
type Head struct {
	SchemaVersion int    `json:"schemaVersion"`
	Command       string `json:"command"`
	ExitCode      int    `json:"exitCode"` // of the process
}

// Document is one command's result.
type Document interface {
	Exit(code int) // sets the exit code in the head
	WriteText(w io.Writer) error
}

// Exit implements Document.
func (h *Head) Exit(code int) { h.ExitCode = code }

// NewHead returns the head of a command's document.
func NewHead(command string) Head {
	return Head{SchemaVersion: SchemaVersion, Command: command}
}

// WriteJSON writes one document.
func WriteJSON(w io.Writer, document Document) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}
