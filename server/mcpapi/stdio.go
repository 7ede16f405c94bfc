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
// Requests that were read before in ended are answered. It closes neither.
func (s *Server) Stdio(ctx context.Context, in io.Reader, out io.Writer) error {
	err := s.mcp.Run(ctx, drainTransport{&mcp.IOTransport{
		Reader: io.NopCloser(in), Writer: keepOpen{out}, MaxLineLength: maxMessage,
	}})
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve mcp: %w", err)
}

// keepOpen makes a writer that the session cannot close.
type keepOpen struct{ io.Writer }

// Close does nothing.
func (keepOpen) Close() error { return nil }

// drainTransport makes connections that answer what they have read before they end. The library itself cancels what is
// in flight when the input ends, so that `printf … | engram mcp` would lose its answers.
type drainTransport struct{ mcp.Transport }

// Connect implements mcp.Transport.
func (t drainTransport) Connect(ctx context.Context) (mcp.Connection, error) {
	c, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &drainConn{Connection: c, answered: make(chan struct{}, 1)}, nil
}

// drainConn counts the answers that are due.
type drainConn struct {
	mcp.Connection
	answered chan struct{} // has a token after an answer was written

	mu  sync.Mutex // guards due
	due int
}

// Read reads a message. The end of the input is told when every answer that is due has been written.
func (c *drainConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	msg, err := c.Connection.Read(ctx)
	if err != nil {
		c.drain(ctx)
		return nil, err
	}
	if r, ok := msg.(*jsonrpc.Request); ok && r.IsCall() {
		c.add(1)
	}
	return msg, nil
}

// Write writes a message.
func (c *drainConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	err := c.Connection.Write(ctx, msg)
	if _, ok := msg.(*jsonrpc.Response); ok {
		c.add(-1)
		select {
		case c.answered <- struct{}{}:
		default:
		}
	}
	return err
}

// add changes the number of answers due and gives it.
func (c *drainConn) add(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due += n
	return c.due
}

// drain waits until no answer is due.
func (c *drainConn) drain(ctx context.Context) {
	limit := time.NewTimer(drainTime)
	defer limit.Stop()
	for c.add(0) > 0 {
		select {
		case <-c.answered:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
