package vfs_test

import (
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
)

func TestGuardPassesErrors(t *testing.T) {
	want := errors.New("own error")
	if got := vfs.Guard(func() error { return want }); got != want {
		t.Errorf("Guard = %v, want %v", got, want)
	}
	must(t, vfs.Guard(func() error { return nil }))
}

func TestGuardPassesPanics(t *testing.T) {
	value := errors.New("a value of its own")
	if got := caught(func() error { panic(value) }); got != value {
		t.Errorf("Guard panicked with %v, want the same value", got)
	}
	var p *int
	got := caught(func() error { *p = 1; return nil })
	if _, ok := got.(runtime.Error); !ok {
		t.Errorf("a nil pointer came out of Guard as %v, want the panic it is", got)
	}
	if debug.SetPanicOnFault(false) {
		t.Error("Guard left the goroutine panicking on faults")
	}
}

// caught returns what Guard(fn) panics with.
func caught(fn func() error) (value any) {
	defer func() { value = recover() }()
	_ = vfs.Guard(fn)
	return nil
}

func TestFaultErrorSaysWhere(t *testing.T) {
	if got := (&vfs.FaultError{Addr: 0xbeef000}).Error(); !strings.Contains(got, "0xbeef000") {
		t.Errorf("the error does not name the address: %s", got)
	}
	b := make([]byte, 10)
	if off, ok := (&vfs.FaultError{Addr: 1}).Offset(b); ok {
		t.Errorf("address 1 is said to be byte %d of a slice", off)
	}
	if _, ok := (&vfs.FaultError{}).Offset(nil); ok {
		t.Error("address 0 is said to be in a nil slice")
	}
}

func TestGuardRestoresSetting(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	must(t, vfs.Guard(func() error { return vfs.Guard(func() error { return nil }) }))
	if !debug.SetPanicOnFault(true) {
		t.Error("Guard switched off what was on before it")
	}
}

func TestGuardAllocatesNothing(t *testing.T) {
	b, sum := []byte{1, 2, 3}, 0
	fn := func() error { sum += int(b[1]); return nil }
	if n := testing.AllocsPerRun(100, func() { _ = vfs.Guard(fn) }); n != 0 {
		t.Errorf("Guard allocates %v times", n)
	}
}

func BenchmarkGuard(b *testing.B) {
	x := 0
	fn := func() error { x++; return nil }
	b.Run("guard", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = vfs.Guard(fn)
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			_ = fn()
		}
	})
}
