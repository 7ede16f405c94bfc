package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// meter draws on standard error how many bytes have gone by.
type meter struct {
	to    io.Writer // nil if nobody is looking
	what  string
	bytes int64
	drawn time.Time
	wide  int
}

// meter is for what is done to a stream, if standard error is a terminal.
func (a *app) meter(what string) *meter {
	m := &meter{what: what}
	if a.terminal(a.stderr) {
		m.to = a.stderr
	}
	return m
}

func (m *meter) add(n int) {
	m.bytes += int64(n)
	if now := time.Now(); m.to != nil && now.Sub(m.drawn) >= progressEvery {
		m.drawn = now
		m.draw(fmt.Sprintf("%s %s", m.what, sizeText(m.bytes)))
	}
}

func (m *meter) draw(text string) {
	fmt.Fprintf(m.to, "\r%-*s", m.wide, text)
	m.wide = len(text)
}

// end takes away what was drawn.
func (m *meter) end() {
	if m.wide > 0 {
		fmt.Fprintf(m.to, "\r%s\r", strings.Repeat(" ", m.wide))
		m.wide = 0
	}
}

// writer is w with what is written to it counted.
func (m *meter) writer(w io.Writer) io.Writer { return meteredWriter{w, m} }

type meteredWriter struct {
	io.Writer
	m *meter
}

// Write implements io.Writer.
func (w meteredWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.m.add(n)
	return n, err
}

// reader is r with what is read from it counted.
func (m *meter) reader(r io.Reader) io.Reader { return meteredReader{r, m} }

type meteredReader struct {
	io.Reader
	m *meter
}

// Read implements io.Reader.
func (r meteredReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.m.add(n)
	return n, err
}
