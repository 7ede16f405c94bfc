package engram

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/orchard9/engram-go/internal/store"
)

// recentRecalls is how many recalls are known for feedback to refer to. Chosen: a recall is judged soon or never.
const recentRecalls = 1024

// recents are the newest recalls of all spaces. Nobody waits for anybody: a recall takes the place of the oldest.
type recents struct {
	next atomic.Uint64
	ring [recentRecalls]atomic.Pointer[recent]
}

// recent is what is kept of a recall.
type recent struct {
	space, id string
	during    string
	hits      []recentHit
}

type recentHit struct {
	id    string
	score float64
	terms []store.FeedbackTerm
}

// note keeps an answer and gives it its id: a hash of the hits with their scores, and of the session. The same answer
// has the same id, before and after a restart and in every replica; all that feedback takes from a recall is in it.
// What the terms were multiplied by is taken off them.
func (r *recents) note(space, during string, hits []Hit, coefficients map[string]float64) string {
	h := xxhash.New()
	kept := &recent{space: space, during: during, hits: make([]recentHit, len(hits))}
	for i := range hits {
		terms := make([]store.FeedbackTerm, len(hits[i].Why))
		for k, t := range hits[i].Why {
			terms[k] = store.FeedbackTerm{Name: t.Name, Value: t.Value}
			if by, ok := coefficients[t.Name]; ok {
				terms[k].Value /= by
			}
		}
		kept.hits[i] = recentHit{id: hits[i].ID, score: hits[i].Score, terms: terms}
		fmt.Fprintf(h, " %q %v", hits[i].ID, hits[i].Score) //nolint:errcheck // a hash never fails
	}
	if during != "" {
		fmt.Fprintf(h, " %q", during) //nolint:errcheck // as above
	}
	kept.id = strconv.FormatUint(h.Sum64(), 16)
	r.ring[(r.next.Add(1)-1)%recentRecalls].Store(kept)
	return kept.id
}

// recalled finds a recent recall; nil if none is asked for.
func (s *Space) recalled(id string) (*recent, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // none was asked for
	}
	for i := range s.db.recents.ring {
		if r := s.db.recents.ring[i].Load(); r != nil && r.id == id && r.space == s.name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("recall %s is not known: it was not in space %s, not since the server started, or more "+
		"than %d recalls ago; name the memories by their ids, without recall_id: %w", quote(id), s.name, recentRecalls,
		ErrNotFound)
}
