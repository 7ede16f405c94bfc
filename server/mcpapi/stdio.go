package mcpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// drainTime bounds how long a session whose input has ended waits for the answers that are still due.
const drainTime = 30 * time.Second

// Stdio serves one session over in and out, one message a line, until in ends or ctx does; both are an orderly end.
// Requests that were read before in ended are answered. A line that is no message is answered with an error, and the
// session goes on. It closes neither.
func (s *Server) Stdio(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := &lineWriter{out: out}
	err := s.mcp.Run(ctx, drainTransport{lines, &mcp.IOTransport{
		Reader: io.NopCloser(newLineReader(in, lines)), Writer: lines, MaxLineLength: -1, // lines are bounded already
	}})
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve mcp: %w", err)
}

// drainTransport makes connections that answer what they have read before they end. The library itself cancels what is
// in flight when the input ends, so that `printf … | engram mcp` would lose its answers.
type drainTransport struct {
	out *lineWriter
	mcp.Transport
}

// Connect implements mcp.Transport.
func (t drainTransport) Connect(ctx context.Context) (mcp.Connection, error) {
	c, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &drainConn{
		Connection: c, out: t.out, answered: make(chan struct{}, 1), due: map[jsonrpc.ID]struct{}{},
	}, nil
}

// drainConn knows which answers are due.
type drainConn struct {
	mcp.Connection
	out      *lineWriter   // gets answers to what cannot be a call
	answered chan struct{} // has a token after an answer was written

	mu      sync.Mutex // guards what is below
	due     map[jsonrpc.ID]struct{}
	writing int // answers that are being written
}

// Read reads a message. The end of the input is told when every answer that is due has been written. A call under the
// id of one that is not answered yet, which the library would never answer, is refused here.
func (c *drainConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		msg, err := c.Connection.Read(ctx)
		if err != nil {
			c.drain(ctx)
			return nil, err
		}
		r, ok := msg.(*jsonrpc.Request)
		if !ok || !r.IsCall() || c.owe(r.ID) {
			return msg, nil
		}
		err = c.out.refuse(refuse(jsonrpc.CodeInvalidRequest, nil,
			"the id %v is that of a call that is not answered yet: give each call its own", r.ID.Raw()))
		if err != nil {
			return nil, err
		}
	}
}

// Write writes a message.
func (c *drainConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	r, ok := msg.(*jsonrpc.Response)
	if !ok {
		return c.Connection.Write(ctx, msg)
	}
	c.settle(r.ID, 1) // before, since whoever reads the answer may use the id again at once
	err := c.Connection.Write(ctx, msg)
	c.settle(r.ID, -1)
	select {
	case c.answered <- struct{}{}:
	default:
	}
	return err
}

// settle notes that the answer to the call id begins to be written, with 1, or has been, with -1.
func (c *drainConn) settle(id jsonrpc.ID, step int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if step > 0 {
		delete(c.due, id)
	}
	c.writing += step
}

// owe notes that the call id is to be answered; false if one of that id is already.
func (c *drainConn) owe(id jsonrpc.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.due[id]; ok {
		return false
	}
	c.due[id] = struct{}{}
	return true
}

// owes says whether an answer is due.
func (c *drainConn) owes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.due)+c.writing > 0
}

// drain waits until no answer is due.
func (c *drainConn) drain(ctx context.Context) {
	limit := time.NewTimer(drainTime)
	defer limit.Stop()
	for c.owes() {
		select {
		case <-c.answered:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
