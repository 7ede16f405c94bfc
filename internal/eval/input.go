package eval

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"unicode/utf8"

	engram "github.com/orchard9/engram-go"
)

// maxFile bounds a file of a collection, in bytes: it is held in memory.
const maxFile = 1 << 30

// DataError is returned when a collection's contents cannot be understood. It matches engram.ErrInvalid.
type DataError struct {
	File string
	Line int // counted from 1; 0 if it is not one line
	What string
}

// Error says where and what.
func (e *DataError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.What
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
}

// Is reports whether target is engram.ErrInvalid.
func (e *DataError) Is(target error) bool { return target == engram.ErrInvalid }

// input reads the files of a collection and notes what they were.
type input struct {
	root  string // the file, or the folder
	files []File
}

// path is where a file of the collection is; "" is the root itself.
func (in *input) path(name string) string { return filepath.Join(in.root, filepath.FromSlash(name)) }

// read reads one file, named by its slash-separated path below the root.
func (in *input) read(name string) ([]byte, error) {
	f, err := os.Open(in.path(name))
	if err != nil {
		return nil, unreadable(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read collection: %w", err)
	}
	if len(data) > maxFile {
		return nil, &DataError{File: in.path(name), What: fmt.Sprintf("it is larger than %d bytes: split it", maxFile)}
	}
	if at := invalidText(data); at >= 0 {
		return nil, &DataError{
			File: in.path(name), Line: lineAt(data, int64(at)), What: "it is not UTF-8: convert the file",
		}
	}
	sum := sha256.Sum256(data)
	if name == "" {
		name = filepath.Base(in.root)
	}
	in.files = append(in.files, File{Name: name, SHA256: hex.EncodeToString(sum[:])})
	return data, nil
}

// invalidText is where data ceases to be UTF-8; -1 if it does not.
func invalidText(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	at := 0
	for {
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n <= 1 {
			return at
		}
		at += n
	}
}

// unreadable explains a file or folder that the operating system does not give.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read collection: %w: %w", err, engram.ErrNotFound)
	}
	return fmt.Errorf("read collection: %w", err)
}

// lines calls fn with every line of a file that is not blank, without its end.
func (in *input) lines(name string, fn func(at Place, line []byte) error) error {
	data, err := in.read(name)
	if err != nil {
		return err
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		at := lineOf(in.path(name), number)
		if err := fn(at, line); err != nil {
			return at.fail(err)
		}
	}
	return nil
}

// objects calls fn with every line of a JSONL file, decoded; fields that T has not are not read.
func objects[T any](in *input, name string, fn func(at Place, v T) error) error {
	data, err := in.read(name)
	if err != nil {
		return err
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var v T
		at := lineOf(in.path(name), number)
		err := json.Unmarshal(line, &v)
		if err == nil {
			err = fn(at, v)
		}
		if err != nil {
			return at.fail(err)
		}
	}
	return nil
}

// lineAt returns the number of the line that holds the byte at offset.
func lineAt(data []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(data)))
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

// offsetOf returns where the value begins that the path of keys and indices leads to; as far as it can be followed.
func offsetOf(data []byte, path []string) int64 {
	dec := json.NewDecoder(bytes.NewReader(data))
	for _, step := range path {
		if !descend(dec, step) {
			break
		}
	}
	at := dec.InputOffset()
	for at < int64(len(data)) && bytes.IndexByte([]byte(" \t\r\n:,"), data[at]) >= 0 {
		at++
	}
	return at
}

// descend reads up to the value of a key in the object, or of an index in the list, that comes next.
func descend(dec *json.Decoder, step string) bool {
	open, err := dec.Token()
	if err != nil {
		return false
	}
	for i := 0; dec.More(); i++ {
		name := strconv.Itoa(i)
		if open == json.Delim('{') {
			key, err := dec.Token()
			if err != nil {
				return false
			}
			name, _ = key.(string)
		}
		if name == step {
			return true
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}

// jsonFailure places an error of encoding/json that came of decoding the value at path within data.
func jsonFailure(file string, data []byte, err error, path ...string) error {
	at := offsetOf(data, path)
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		at += wrong.Offset
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at += wrong.Offset
	}
	return &DataError{File: file, Line: lineAt(data, at), What: err.Error()}
}
