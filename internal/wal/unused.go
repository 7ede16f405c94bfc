package wal

import (
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/codec"
)

// Unused reports whether the log in o.Dir was made and never written to, and for which store: it is what is left of
// the making of a space that was interrupted, also where going on with it was. A log that ever had a record, or more
// bytes than a mark has, is not unused. With numbers of no files at all it is unused, and made is false. o.Store is
// not looked at, and nothing is changed. Nobody may have the log open.
func Unused(o Options) (store [16]byte, made, unused bool, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return store, false, false, err
	}
	numbers, _, _, err := o.list()
	if err != nil || len(numbers) == 0 {
		return store, false, err == nil, err
	}
	if len(numbers) > 1 || numbers[0] != 1 {
		return store, true, false, nil
	}
	path := o.logPath(1)
	file, err := o.FS.Open(path, false)
	if err != nil {
		return store, true, false, fmt.Errorf("open log file: %w", err)
	}
	b := make([]byte, codec.HeaderSize)
	n, err := file.ReadAt(b, 0)
	if closeErr := file.Close(); n < len(b) || closeErr != nil {
		return store, true, false, fmt.Errorf("read log file: %w", errors.Join(err, closeErr))
	}
	h, err := codec.ReadHeader(path, b, fileKind, fileVersion)
	if errors.Is(err, codec.ErrCorrupt) {
		return store, true, false, nil
	}
	if err != nil {
		return store, true, false, err
	}
	o.Store = h.Store
	r := &replay{o: &o}
	switch err := r.run(numbers); {
	case errors.Is(err, codec.ErrCorrupt):
		return store, true, false, nil
	case err != nil:
		return store, true, false, err
	}
	// A power cut while it was opened again leaves a part of the mark that opening puts there.
	torn := r.found.Torn
	mark := torn == nil || torn.Offset == fileHeader && !r.stray
	return h.Store, true, r.last == 0 && mark && len(r.found.Damaged) == 0, nil
}
