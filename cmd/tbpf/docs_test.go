package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

// TestTheManualIsTheCommandsOwnHelp compares docs/cli.md with what the commands
// say. `go test ./cmd/tbpf -run Manual -update` writes it.
func TestTheManualIsTheCommandsOwnHelp(t *testing.T) {
	path := filepath.Join(projectDir, "docs", "cli.md")
	want := manual()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/cli.md is not what the commands say: go test ./cmd/tbpf -run Manual -update")
	}
}

func manual() []byte {
	var b bytes.Buffer
	b.WriteString(manualHead)
	root := newRoot(newApp(), nil)
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range root.Commands() {
			if cmd.GroupID == group.ID {
				manualPage(&b, cmd)
				for _, sub := range cmd.Commands() {
					manualPage(&b, sub)
				}
			}
		}
	}
	return b.Bytes()
}

func manualPage(b *bytes.Buffer, cmd *cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(b, "\n### %s\n\n    %s\n\n%s\n\n```text\n%s```\n", cmd.CommandPath(), synopsis(cmd, "        "), text, flagUsages(cmd))
	if cmd.Example != "" {
		var lines []string
		for line := range strings.Lines(cmd.Example) {
			lines = append(lines, strings.TrimPrefix(line, "  "))
		}
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.Join(lines, ""))
	}
	schema := cmd.Name()
	if cmd.Parent().HasParent() {
		schema = cmd.Parent().Name()
	}
	fmt.Fprintf(b, "\n`--json`: [%s.schema.json](json/%s.schema.json)\n", schema, schema)
}

const manualHead = `# The command line

This page is made from the commands' own help; ` + "`tbpf help COMMAND`" + ` prints the same.

Results go to standard output, messages to standard error: ` + "`tbpf: error: …`" + ` is one line that
names the file and the cause, ` + "`tbpf: hint: …`" + ` says what to do about it, ` + "`tbpf: notice: …`" + ` is what a
person should know although all went well, ` + "`tbpf: log: …`" + ` is a line of the kernel's verifier.
` + "`-`" + ` is standard input or output. Nothing is overwritten without ` + "`--force`" + `, and an output file is
there whole or not at all. Names that come from a file are printed with everything escaped that could
move the cursor or reorder the line; such a name stands in double quotes.

With ` + "`--json`" + ` every command but help prints one document on standard output, also when it fails; only
a usage error prints nothing there. The schemas are in [docs/json](json). Fields may be added; where one
changes its meaning or goes, ` + "`schemaVersion`" + ` changes.

Passwords of private keys come from ` + "`--password-file`, `TBPF_PASSWORD`" + `, or a prompt at the terminal, in
this order, and never from an argument. Without any of them the command fails at once.

## Exit codes

| code | meaning |
|---|---|
| 0 | all of it verified or done |
| 1 | operational: input, output, internal |
| 2 | usage: the command line means nothing |
| 10 | unsigned |
| 11 | bad signature, or a malformed seal |
| 12 | no trusted signer |
| 13 | expired, or not yet valid |
| 14 | revoked |
| 15 | rollback: an older version than one that was loaded |
| 16 | policy refused, or a value that the signature does not allow |
| 17 | too few signatures |
| 20 | the kernel refused the signature |
| 21 | the BPF verifier refused a program |
| 22 | permission, or the token lacks a right |
| 23 | the kernel lacks what is needed |
| 128+n | ended by signal n |

Of several files all are checked, and the exit code is that of the first failure.
`
