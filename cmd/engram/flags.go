package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	engram "github.com/orchard9/engram-go"
)

// maxStdin bounds what is read from standard input as one memory's content, in bytes. It is far above the engine's
// own limit, which gives the precise answer; this one only keeps a wrong pipe from filling the memory.
const maxStdin = 16 << 20

// timeLayouts are the forms in which a time may be typed; those without an offset are in the local zone.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04",
	time.DateOnly,
}

// timeFlag is a time on the command line. The empty text is the zero time: "clear" in an update.
type timeFlag struct {
	time time.Time
	zone *time.Location
}

func (f *timeFlag) String() string {
	if f.time.IsZero() {
		return ""
	}
	return f.time.Format(time.RFC3339)
}

func (f *timeFlag) Type() string { return "time" }

func (f *timeFlag) Set(text string) error {
	f.time = time.Time{}
	if text == "" {
		return nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, f.zone); err == nil {
			if t.IsZero() {
				return errors.New("the first instant of the year 1 stands for none: " +
					"want a time from the years 1678 to 2261")
			}
			f.time = t
			return nil
		}
	}
	return fmt.Errorf("want a time such as 2025-06-14, 2025-06-14T06:40 or 2025-06-14T06:40:00+02:00")
}

// vectorFlag is a vector on the command line: [0.1,0.2], 0.1,0.2 or @FILE that holds either. The empty text is no
// vector: "clear" in an update.
type vectorFlag struct{ vector []float32 }

func (f *vectorFlag) String() string {
	if len(f.vector) == 0 {
		return ""
	}
	return fmt.Sprintf("%d numbers", len(f.vector))
}

func (f *vectorFlag) Type() string { return "vector" }

func (f *vectorFlag) Set(text string) error {
	f.vector = []float32{} // Not nil: in an update that is "clear".
	if path, isFile := strings.CutPrefix(text, "@"); isFile {
		data, err := readLimited(path)
		if err != nil {
			return err
		}
		text = string(data)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	if !strings.HasPrefix(text, "[") {
		text = "[" + text + "]"
	}
	var numbers []*float32 // a pointer: null is not a number
	if err := json.Unmarshal([]byte(text), &numbers); err != nil || slices.Contains(numbers, nil) {
		return errors.New("want numbers as in [0.1,-0.2], or @FILE that holds them")
	}
	for _, x := range numbers {
		f.vector = append(f.vector, *x)
	}
	return nil
}

// fieldFlags are the fields of a memory that both remember and update take.
type fieldFlags struct {
	kind, speaker, session, source, language     string
	tags, metadata                               []string
	occurredAt, validFrom, validUntil, expiresAt timeFlag
	pin                                          bool
	confidence                                   float64
	embedding                                    vectorFlag
	model                                        string
}

// register declares the flags.
func (f *fieldFlags) register(set *pflag.FlagSet, zone *time.Location) {
	for _, t := range []*timeFlag{&f.occurredAt, &f.validFrom, &f.validUntil, &f.expiresAt} {
		t.zone = zone
	}
	set.StringVar(&f.kind, "kind", "", "what sort of memory: a `word` such as fact, event, decision")
	set.StringArrayVar(&f.tags, "tag", nil, "a `label`; may be given several times")
	set.StringVar(&f.speaker, "speaker", "", "`who` said it")
	set.StringVar(&f.session, "session", "", "the `name` of the conversation or event it belongs to")
	set.Var(&f.occurredAt, "occurred-at", "when it happened")
	set.Var(&f.validFrom, "valid-from", "when it begins to be true")
	set.Var(&f.validUntil, "valid-until", "when it ends being true")
	set.Var(&f.expiresAt, "expires-at", "when it is to be forgotten")
	set.BoolVar(&f.pin, "pin", false, "never to be forgotten by the engine of its own accord")
	set.Float64Var(&f.confidence, "confidence", 0, "how sure it is, a `number` from 0 to 1")
	set.StringVar(&f.source, "source", "", "where it comes from: a `URI` or a name")
	set.StringArrayVar(&f.metadata, "meta", nil, "`KEY=VALUE` of your own; may be given several times")
	set.StringVar(&f.language, "language", "", "the `language` of the text, as in de or german (default: found out)")
	set.Var(&f.embedding, "embedding", "its vector: [0.1,0.2] or @FILE")
	set.StringVar(&f.model, "embedding-model", "", "the `name` of what made the vector")
}

// metadataMap reads the KEY=VALUE pairs.
func (f *fieldFlags) metadataMap() (map[string]string, error) {
	m := make(map[string]string, len(f.metadata))
	for _, pair := range f.metadata {
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, usagef("--meta %s: want KEY=VALUE", strconv.Quote(pair))
		}
		if _, twice := m[key]; twice {
			return nil, usagef("--meta gives the key %s twice", strconv.Quote(key))
		}
		m[key] = value
	}
	return m, nil
}

// parseLink reads TO[,type=TYPE][,weight=W]. The id comes first and may hold anything but these two markers.
func parseLink(text string) (engram.Link, error) {
	var link engram.Link
	rest := text
	if before, weight, found := strings.Cut(rest, ",weight="); found {
		w, err := strconv.ParseFloat(weight, 64)
		if err != nil {
			return link, usagef("--link %s: want TO[,type=TYPE][,weight=NUMBER]", strconv.Quote(text))
		}
		link.Weight, rest = &w, before
	}
	link.To, link.Type, _ = strings.Cut(rest, ",type=")
	return link, nil
}

// contentFrom returns the content that the arguments give: the words joined by blanks, or standard input for "-" or
// for no words at all. One line end at the end of standard input belongs to the pipe, not to the content.
func (a *app) contentFrom(words []string) (string, error) {
	switch {
	case len(words) == 0 && a.terminal(a.stdin):
		return "", usagef("nothing given: write the text after the command, or pipe it in")
	case len(words) > 0 && (len(words) > 1 || words[0] != "-"):
		return strings.Join(words, " "), nil
	}
	data, err := io.ReadAll(io.LimitReader(a.stdin, maxStdin+1))
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	if len(data) > maxStdin {
		return "", fmt.Errorf("standard input is above %d bytes: %w. Remember it in parts",
			maxStdin, engram.ErrTooLarge)
	}
	if !utf8.Valid(data) {
		return "", usagef("standard input is not UTF-8: convert it first, for example with iconv -t UTF-8")
	}
	text := strings.TrimSuffix(string(data), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// readLimited reads a small file.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStdin+1))
	if err == nil && len(data) > maxStdin {
		err = fmt.Errorf("%s is larger than %d bytes: %w", path, maxStdin, engram.ErrTooLarge)
	}
	return data, err
}
