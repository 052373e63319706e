package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// writeHelp writes the page of one command. It is not cobra's own: that has
// flags in three places, and the templates of the text/template kind take part
// in every start.
func writeHelp(w io.Writer, cmd *cobra.Command) {
	var b strings.Builder
	if cmd.HasParent() {
		fmt.Fprintf(&b, "Usage: %s\n\n", synopsis(cmd, "           "))
	} else {
		fmt.Fprintf(&b, "Usage: %s COMMAND [ARGUMENT...]\n\n", cmd.Name())
	}
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(&b, "%s\n", text)
	for _, group := range cmd.Groups() {
		fmt.Fprintf(&b, "\n%s\n", group.Title)
		for _, c := range cmd.Commands() {
			if c.GroupID == group.ID && !c.Hidden {
				fmt.Fprintf(&b, "  %-12s%s\n", c.Name(), c.Short)
			}
		}
	}
	fmt.Fprintf(&b, "\nFlags:\n%s", flagUsages(cmd))
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if !cmd.HasParent() {
		b.WriteString("\n`tbpf help COMMAND` tells more. Exit codes are in docs/cli.md.\n")
	}
	io.WriteString(w, b.String())
}

// flagUsages lists all flags of a command in the order of their declaration.
func flagUsages(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	cmd.LocalFlags() // merges those of the root command
	return cmd.Flags().FlagUsages()
}

// synopsis is a command's use line in lines of about 80 columns; brackets and
// alternatives stay together.
func synopsis(cmd *cobra.Command, indent string) string {
	var b strings.Builder
	column, depth, word := 0, 0, ""
	for _, r := range cmd.UseLine() + " " {
		switch r {
		case '[', '(':
			depth++
		case ']', ')':
			depth--
		}
		if r != ' ' || depth > 0 {
			word += string(r)
			continue
		}
		if column > 0 && column+1+len(word) > 72 {
			b.WriteString("\n" + indent)
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
		word = ""
	}
	return b.String()
}
