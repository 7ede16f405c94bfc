package recall

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// least is a heap of the largest keys so far, the smallest of them in front.
type least[K cmp.Ordered] []K

// offer adds v if it is among the size largest.
func (h *least[K]) offer(v K, size int) {
	s := *h
	if len(s) < size {
		s = append(s, v)
		for i := len(s) - 1; i > 0 && s[i] < s[(i-1)/2]; i = (i - 1) / 2 {
			s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
		}
		*h = s
		return
	}
	if v <= s[0] {
		return
	}
	s[0] = v
	for i := 0; ; {
		small := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if s[child] < s[small] {
				small = child
			}
		}
		if small == i {
			return
		}
		s[i], s[small] = s[small], s[i]
		i = small
	}
}

// largest returns the k-th largest key of rows; there are at least k, and k is above 0.
func largest[K cmp.Ordered](rows []uint32, k int, key func(row uint32) K) K {
	h := make(least[K], 0, k)
	for _, row := range rows {
		h.offer(key(row), k)
	}
	return h[0]
}

// keyed is a row with what it is ordered by: keys descending, then ids ascending.
type keyed[K cmp.Ordered] struct {
	row uint32
	key K
	id  string // read only for rows that share their key
}

// damagedID sorts behind every id: ids are UTF-8.
const damagedID = "\xff"

// top returns the limit best rows, best first: larger keys, and smaller ids where keys are equal. Ids are read only
// where they decide.
func top[K cmp.Ordered](ctx context.Context, rows []uint32, limit int, key func(row uint32) K,
	readID func(row uint32) (string, error),
) ([]keyed[K], error) {
	limit = min(limit, len(rows))
	if limit == 0 {
		return nil, nil
	}
	last := largest(rows, limit, key)
	var best, tied []keyed[K]
	for _, row := range rows {
		switch k := key(row); {
		case k > last:
			best = append(best, keyed[K]{row: row, key: k})
		case k == last:
			tied = append(tied, keyed[K]{row: row, key: k})
		}
	}
	slices.SortFunc(best, func(a, b keyed[K]) int { return cmp.Compare(b.key, a.key) })
	for from := 0; from < len(best); {
		to := from + 1
		for to < len(best) && best[to].key == best[from].key {
			to++
		}
		if err := byID(ctx, best[from:to], readID); err != nil {
			return nil, err
		}
		from = to
	}
	if err := byID(ctx, tied, readID); err != nil {
		return nil, err
	}
	return append(best, tied[:limit-len(best)]...), nil
}

// byID sorts rows that share their key. A row whose id cannot be read comes last.
func byID[K cmp.Ordered](ctx context.Context, rows []keyed[K], readID func(row uint32) (string, error)) error {
	if len(rows) < 2 {
		return nil
	}
	for i := range rows {
		if i%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("recall: %w", ctx.Err())
		}
		id, err := readID(rows[i].row)
		if err != nil {
			id = damagedID
		}
		rows[i].id = id
	}
	slices.SortFunc(rows, func(a, b keyed[K]) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.row, b.row)) })
	return nil
}
