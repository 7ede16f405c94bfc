package leak_test

import (
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/leak"
)

// TestLeftFindsAGoroutine starts one that waits, and lets it go.
func TestLeftFindsAGoroutine(t *testing.T) {
	before := len(leak.Left()) // the one that runs the tests
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-stop
	}()
	if got := len(leak.Left()); got != before+1 {
		t.Errorf("Left finds %d goroutines, want %d", got, before+1)
	}
	close(stop)
	<-done
	for len(leak.Left()) > before {
		time.Sleep(time.Millisecond)
	}
}
