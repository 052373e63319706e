package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// page writes text for people and remembers the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
}

// table writes rows in columns of equal width. The last column is not padded,
// and no line ends in a space.
func (p *page) table(indent string, rows [][]string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
}

// date is a time as JSON and pages have it.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// count is "1 map", "3 maps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// section begins a part of the page.
func (p *page) section(title string, n int) {
	p.line("")
	p.line("%s (%d)", title, n)
}

// fold joins names with commas into lines of about width columns.
func fold(list []string, width int) []string {
	var lines []string
	line := ""
	for i, name := range list {
		if i < len(list)-1 {
			name += ","
		}
		if line != "" && len(line)+1+len(name) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += name
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// folded adds names to a table, in as many rows as they take.
func folded(rows [][]string, label string, names []string) [][]string {
	for i, line := range fold(names, 64) {
		rows = append(rows, []string{first(i, label), line})
	}
	return rows
}

// first labels the first of several rows.
func first(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}
