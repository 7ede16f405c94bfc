package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// bareLog is the least that a durable append can be: preallocated files that are written over again and again, and a
// commit that concurrent callers share. It is the yardstick of durable, made as fast as we know how.
//
// The first caller that finds no batch gathering leads one: it waits for the batch before it to be synced, lets
// whoever is ready join, then writes and syncs for all. Nobody waits for a timer, and a lone caller, behind a batch
// that nobody else waited for, for nobody.
type bareLog struct {
	files [2]*os.File
	table *crc32.Table

	mu        sync.Mutex
	pending   []byte     // records of the gathering batch
	spare     []byte     // the buffer that is not pending
	number    uint64     // of the last record
	gathering *bareBatch // nil if nobody leads the next batch
	writing   *bareBatch // nil if nothing is being written
	alone     bool       // nobody but its leader waited for the last batch

	// The leader's alone.
	file int
	off  int64
}

type bareBatch struct {
	done   chan struct{}
	err    error // set before done is closed
	waited bool  // for by another than its leader; under mu
}

const (
	bareBytes  = 32 << 20
	bareHeader = 4 + 4 + 8 // length, checksum, number
)

func openBare(dir string, _ int) (writer, error) {
	l := &bareLog{table: crc32.MakeTable(crc32.Castagnoli)}
	zeros := make([]byte, 1<<20)
	for i := range l.files {
		f, err := os.Create(filepath.Join(dir, []string{"a.log", "b.log"}[i]))
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.files[i] = f
		for off := int64(0); off < bareBytes; off += int64(len(zeros)) {
			if _, err := f.WriteAt(zeros, off); err != nil {
				return nil, errors.Join(err, l.close())
			}
		}
		if err := f.Sync(); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

func (l *bareLog) put(_ int, text string) error {
	l.mu.Lock()
	l.append(text)
	b := l.gathering
	if b != nil {
		b.waited = true
		l.mu.Unlock()
		<-b.done
		return b.err
	}
	b = &bareBatch{done: make(chan struct{})}
	l.gathering = b
	before, alone := l.writing, l.alone
	if before != nil {
		before.waited = true
	}
	l.mu.Unlock()
	if before != nil {
		<-before.done
	}
	if before != nil || !alone {
		l.gather()
	}
	return l.lead(b)
}

// append adds a record to what is pending. mu must be held.
func (l *bareLog) append(text string) {
	l.number++
	start := len(l.pending)
	l.pending = binary.LittleEndian.AppendUint32(l.pending, uint32(len(text)))
	l.pending = append(l.pending, 0, 0, 0, 0)
	l.pending = binary.LittleEndian.AppendUint64(l.pending, l.number)
	l.pending = append(l.pending, text...)
	sum := crc32.Checksum(l.pending[start+8:], l.table)
	binary.LittleEndian.PutUint32(l.pending[start+4:], sum)
}

// gather lets goroutines that are ready to run append first, as long as each turn brings a record.
func (l *bareLog) gather() {
	l.mu.Lock()
	before := l.number
	l.mu.Unlock()
	for range 16 {
		runtime.Gosched()
		l.mu.Lock()
		now := l.number
		l.mu.Unlock()
		if now == before {
			return
		}
		before = now
	}
}

// lead writes and syncs what is pending and wakes the batch.
func (l *bareLog) lead(b *bareBatch) error {
	l.mu.Lock()
	records := l.pending
	l.pending = l.spare[:0]
	l.gathering, l.writing = nil, b
	l.mu.Unlock()

	b.err = l.write(records)

	l.mu.Lock()
	l.spare = records
	l.writing, l.alone = nil, !b.waited
	l.mu.Unlock()
	close(b.done)
	return b.err
}

func (l *bareLog) write(records []byte) error {
	if l.off+int64(len(records)) > bareBytes {
		l.file, l.off = 1-l.file, 0
	}
	f := l.files[l.file]
	if _, err := f.WriteAt(records, l.off); err != nil {
		return err
	}
	l.off += int64(len(records))
	return syncData(f)
}

// preload writes the texts as one batch.
func (l *bareLog) preload(_ int, texts []string) error {
	l.mu.Lock()
	for _, text := range texts[:len(texts)-1] {
		l.append(text)
	}
	l.mu.Unlock()
	return l.put(0, texts[len(texts)-1])
}

func (l *bareLog) close() error {
	var errs []error
	for _, f := range l.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
