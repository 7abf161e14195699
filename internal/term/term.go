// Package term prints for people: bold on a terminal, and lines that fit it.
package term

import (
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// Width is how many columns a line has.
const Width = 80

// Is reports whether f is a terminal.
func Is(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// Bold returns the text in bold, if f is a terminal and NO_COLOR (no-color.org) does not say otherwise.
func Bold(f *os.File, text string) string {
	if text == "" || !Is(f) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[1m" + text + "\x1b[m"
}

// Wrap breaks lines that are longer than Width at blanks, and indents what follows by two columns more than the line. A
// word is never broken. Nor is a line that ends with a semicolon: it is SQL, to be copied.
func Wrap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
		if utf8.RuneCountInString(line) <= Width || strings.HasSuffix(line, ";") {
			b.WriteString(line + end)
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		column := utf8.RuneCountInString(indent)
		b.WriteString(indent)
		for i, word := range strings.Split(line[len(indent):], " ") { // several blanks stay as they are
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case column+1+n > Width:
				b.WriteString("\n" + indent + "  ")
				column = utf8.RuneCountInString(indent) + 2
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
		b.WriteString(end)
	}
	return b.String()
}

// Wait calls say with how long it took so far, first after two seconds and then every ten, until stop is called.
func Wait(say func(so time.Duration)) (stop func()) {
	start, done, gone := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for pause := 2 * time.Second; ; pause = 10 * time.Second {
			select {
			case <-done:
				return
			case <-time.After(pause):
				say(time.Since(start).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-gone }
}

// Line overwrites one line on a terminal, and prints lines elsewhere.
func Line(f *os.File, text string) {
	if Is(f) {
		_, _ = io.WriteString(f, "\r\x1b[K"+text+"\r")
		return
	}
	_, _ = io.WriteString(f, text+"\n")
}
