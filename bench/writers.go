package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// engramWriter remembers texts through the public API.
type engramWriter struct {
	db    *engram.DB
	space *engram.Space
}

func openEngram(dir string, _ int) (writer, error) {
	db, err := engram.Open(dir)
	if err != nil {
		return nil, err
	}
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &engramWriter{db: db, space: space}, nil
}

func (w *engramWriter) put(_ int, text string) error {
	outcome, err := w.space.Remember(context.Background(), engram.Draft{Content: text})
	if err == nil && outcome.Result != engram.Created {
		return fmt.Errorf("text was %s, not created: the texts of this benchmark must differ", outcome.Result)
	}
	return err
}

func (w *engramWriter) preload(_ int, texts []string) error {
	drafts := make([]engram.Draft, len(texts))
	for i, text := range texts {
		drafts[i] = engram.Draft{Content: text}
	}
	_, err := w.space.RememberBatch(context.Background(), drafts)
	return err
}

func (w *engramWriter) close() error { return w.db.Close() }

// logWriter appends texts to Engram's log and trims it behind itself.
type logWriter struct {
	log     *wal.Log
	written atomic.Int64 // bytes since the last trimming
}

const trimBytes = 8 << 20

func openLog(dir string, _ int) (writer, error) {
	log, _, err := wal.Open(wal.Options{
		FS: vfs.OS{}, Dir: filepath.Join(dir, "wal"), Store: [16]byte{1}, MarkAfter: 2 * time.Millisecond,
	}, 0, func(wal.LSN, []byte) error { return nil })
	if err != nil {
		return nil, err
	}
	return &logWriter{log: log}, nil
}

func (w *logWriter) put(_ int, text string) error {
	// The log copies what it is given, and only reads it: a copy of the text here would be in the figure.
	lsn, err := w.log.Append(unsafe.Slice(unsafe.StringData(text), len(text)))
	if err != nil {
		return err
	}
	if err := w.log.Commit(lsn); err != nil {
		return err
	}
	if w.written.Add(int64(len(text))) < trimBytes {
		return nil
	}
	w.written.Store(0)
	return w.log.Trim(lsn + 1)
}

func (w *logWriter) preload(_ int, texts []string) error {
	for _, text := range texts[:len(texts)-1] {
		if _, err := w.log.Append([]byte(text)); err != nil {
			return err
		}
		w.written.Add(int64(len(text)))
	}
	return w.put(0, texts[len(texts)-1])
}

func (w *logWriter) close() error { return w.log.Close() }

// key is a text's key in the peers: ascending, which suits all of them best.
func key(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

type pebbleWriter struct{ db *pebble.DB }

// quiet drops what Pebble tells of its jobs; what ends the process is told by it anyway.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func openPebble(dir string, _ int) (writer, error) {
	db, err := pebble.Open(dir, &pebble.Options{MemTableSize: 64 << 20, Logger: quiet{}})
	if err != nil {
		return nil, err
	}
	return &pebbleWriter{db}, nil
}

func (w *pebbleWriter) put(i int, text string) error {
	return w.db.Set(key(i), []byte(text), pebble.Sync)
}

func (w *pebbleWriter) preload(first int, texts []string) error {
	batch := w.db.NewBatch()
	for i, text := range texts {
		if err := batch.Set(key(first+i), []byte(text), nil); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	return errors.Join(batch.Commit(pebble.Sync), batch.Close())
}

func (w *pebbleWriter) close() error { return w.db.Close() }

type sqliteWriter struct {
	db     *sql.DB
	insert *sql.Stmt
}

// openSQL opens a database whose transactions are durable when they return.
func openSQL(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // writers exclude each other anyway: a queue in front is faster than busy locks
	return db, nil
}

func openSQLite(dir string, _ int) (writer, error) {
	db, err := openSQL(filepath.Join(dir, "memories.db"))
	if err != nil {
		return nil, err
	}
	w := &sqliteWriter{db: db}
	if _, err = db.Exec("CREATE TABLE memories (id INTEGER PRIMARY KEY, content TEXT NOT NULL)"); err == nil {
		w.insert, err = db.Prepare("INSERT INTO memories (id, content) VALUES (?, ?)")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return w, nil
}

func (w *sqliteWriter) put(i int, text string) error {
	_, err := w.insert.Exec(i, text)
	return err
}

func (w *sqliteWriter) preload(first int, texts []string) error {
	tx, err := w.db.Begin()
	if err != nil {
		return err
	}
	insert := tx.Stmt(w.insert)
	for i, text := range texts {
		if _, err := insert.Exec(first+i, text); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (w *sqliteWriter) close() error { return errors.Join(w.insert.Close(), w.db.Close()) }

type boltWriter struct {
	db     *bbolt.DB
	update func(func(*bbolt.Tx) error) error
}

var boltBucket = []byte("memories")

func openBolt(dir string, callers int) (writer, error) {
	db, err := bbolt.Open(filepath.Join(dir, "memories.bolt"), 0o600, &bbolt.Options{
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30,
	})
	if err != nil {
		return nil, err
	}
	w := &boltWriter{db: db, update: db.Update}
	if callers > 1 {
		db.MaxBatchSize = callers
		w.update = db.Batch
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(boltBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return w, nil
}

func (w *boltWriter) put(i int, text string) error {
	return w.update(func(tx *bbolt.Tx) error { return tx.Bucket(boltBucket).Put(key(i), []byte(text)) })
}

func (w *boltWriter) preload(first int, texts []string) error {
	return w.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		b.FillPercent = 1 // keys ascend
		for i, text := range texts {
			if err := b.Put(key(first+i), []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *boltWriter) close() error { return w.db.Close() }
