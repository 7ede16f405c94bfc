package mcpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// lineReader reads lines and hands on those that are messages. It answers the others itself, since the library ends the
// session on the first of them, and with it whatever the client had asked before. What it hands on is whole lines, a
// message each, of at most maxMessage bytes: a batch is taken apart and its messages are answered one by one, since the
// library never answers one that holds a notification, or the same id as another.
type lineReader struct {
	in   *bufio.Reader
	out  *lineWriter
	rest []byte // of what is being handed on
	line []byte // is used again for each line
}

func newLineReader(in io.Reader, out *lineWriter) *lineReader {
	return &lineReader{in: bufio.NewReader(in), out: out}
}

// inputError is why the session's input cannot be read further, if not for its end.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// Read implements io.Reader. Its error is io.EOF or an *inputError.
func (r *lineReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		line, err := r.next()
		if err != nil {
			return 0, err
		}
		messages, refusal := messagesOf(line)
		if refusal != nil {
			if err := r.out.refuse(refusal); err != nil {
				return 0, &inputError{err}
			}
		}
		r.rest = messages
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next gives the next line that is not blank, without space around it; nil is one that is too long, which is read to
// its end and kept nowhere. The last line needs no newline.
func (r *lineReader) next() ([]byte, error) {
	for {
		r.line = r.line[:0]
		size := 0
		for {
			part, err := r.in.ReadSlice('\n')
			size += len(part)
			if size <= maxMessage {
				r.line = append(r.line, part...)
			}
			if err == nil || err == io.EOF && size > 0 {
				break
			}
			if err == io.EOF {
				return nil, err
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return nil, &inputError{err}
			}
		}
		if size > maxMessage {
			return nil, nil
		}
		if line := bytes.TrimSpace(r.line); len(line) > 0 {
			return line, nil
		}
	}
}

// messagesOf gives the messages of a line, each on a line of its own, or the answer to one that is none.
func messagesOf(line []byte) ([]byte, *refusal) {
	if line == nil {
		return nil, refuse(jsonrpc.CodeParseError, nil,
			"a message has at most %d bytes; this line has more, and was dropped", maxMessage)
	}
	if !json.Valid(line) {
		err := json.Unmarshal(line, new(any))
		return nil, refuse(jsonrpc.CodeParseError, nil,
			"the line is not JSON: %v; send each message as JSON on one line", err)
	}
	all := []json.RawMessage{line}
	if line[0] == '[' {
		_ = json.Unmarshal(line, &all) // is valid
	}
	if len(all) == 0 {
		return nil, refuse(jsonrpc.CodeInvalidRequest, nil, "the batch is empty")
	}
	var messages []byte
	for _, m := range all {
		if _, err := jsonrpc.DecodeMessage(m); err != nil {
			return nil, refuse(jsonrpc.CodeInvalidRequest, idOf(m), "the line is not a JSON-RPC 2.0 message: %v", err)
		}
		messages = append(append(messages, m...), '\n')
	}
	return messages, nil
}

// idOf is the id of what is no message, so that whoever sent it knows which of its calls it is; nil if there is none
// that may be one.
func idOf(m json.RawMessage) json.RawMessage {
	var told struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(m, &told) != nil || len(told.ID) == 0 || !bytes.ContainsAny(told.ID[:1], `"-0123456789`) {
		return nil
	}
	return told.ID
}

// refusal is a JSON-RPC error to what could not be read as a message. The library's own type leaves out an id that is
// null, which the protocol demands here.
type refusal struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   jsonrpc.Error   `json:"error"`
}

func refuse(code int64, id json.RawMessage, format string, args ...any) *refusal {
	return &refusal{Version: "2.0", ID: id, Error: jsonrpc.Error{Code: code, Message: fmt.Sprintf(format, args...)}}
}

// lineWriter lets the session and the reader of its lines write to one output, a whole line at a time. Closing it does
// not close the output.
type lineWriter struct {
	mu  sync.Mutex // is held while a line is written
	out io.Writer
}

// Write writes b, which is whole lines.
func (w *lineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(b)
}

// Close does nothing.
func (w *lineWriter) Close() error { return nil }

// refuse writes r.
func (w *lineWriter) refuse(r *refusal) error {
	b, err := json.Marshal(r)
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}
