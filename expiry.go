package engram

import (
	"context"
	"errors"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// eraseExpired erases the memories of a space that expired long enough ago. begin is called before the first.
func (c *compactor) eraseExpired(ctx context.Context, h *handle, begin func()) error {
	if c.policy.EraseExpired < 0 {
		return nil
	}
	before := c.db.o.Clock().Add(-c.policy.EraseExpired)
	ids, err := expiredBefore(h.space.View(), before)
	for len(ids) > 0 && err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		begin()
		some := ids[:min(len(ids), eraseAtOnce)]
		ids = ids[len(some):]
		err = h.space.Write(ctx, "erase what has expired", nil, func(tx *store.Tx) error {
			return eraseIfExpired(tx, some, before)
		})
	}
	return err
}

// expiredBefore lists the memories that had expired at an instant.
func expiredBefore(v *store.View, at time.Time) (ids []string, err error) {
	if !v.Expiring {
		return nil, nil
	}
	v.Scan(0, func(_ uint32, f store.Found) bool {
		if !expired(v.ExpiresAt(f.Row), at) {
			return true
		}
		id, readErr := v.ID(f.Row)
		switch {
		case errors.Is(readErr, ErrCorrupt): // damage is told elsewhere, and is not erased
		case readErr != nil:
			err = readErr
		default:
			ids = append(ids, id)
		}
		return err == nil
	})
	return ids, err
}

// eraseIfExpired erases those that are still there and have still expired: somebody may have put off their end
// meanwhile.
func eraseIfExpired(tx *store.Tx, ids []string, at time.Time) error {
	tx.Reason("expired")
	for _, id := range ids {
		f, ok, err := tx.Lookup(id)
		if err != nil {
			return err
		}
		if !ok || !expired(tx.View().ExpiresAt(f.Row), at) {
			continue
		}
		if err := isolate.Fault("engram/expire"); err != nil {
			return err
		}
		if err := tx.Erase(id); err != nil {
			return err
		}
	}
	return nil
}
