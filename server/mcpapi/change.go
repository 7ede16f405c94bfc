package mcpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/orchard9/engram-go"
)

// updateArgs are the arguments of update; what is not given stays as it is.
type updateArgs struct {
	Space      string     `json:"space"`
	ID         string     `json:"id"`
	Content    *string    `json:"content"`
	Confidence *float64   `json:"confidence"`
	Tags       *[]string  `json:"tags"`
	Pin        *bool      `json:"pin"`
	ValidUntil *time.Time `json:"valid_until"`
	Mode       string     `json:"mode"`
	Reason     string     `json:"reason"`
}

// linkArgs are the arguments of link.
type linkArgs struct {
	Space  string   `json:"space"`
	From   string   `json:"from"`
	To     string   `json:"to"`
	Type   string   `json:"type"`
	Weight *float64 `json:"weight"`
	Remove bool     `json:"remove"`
}

// linked is the structured result of link.
type linked struct {
	// Weight is that of the association that there is now; absent if there is none.
	Weight  *float64 `json:"weight,omitempty"`
	Removed bool     `json:"removed"`
}

// statusArgs are the arguments of status.
type statusArgs struct {
	Space string `json:"space"`
}

// status is the structured result of the tool of that name.
type status struct {
	Memories int            `json:"memories"`
	Archived int            `json:"archived"`
	Tiers    map[string]int `json:"tiers"`
	Links    int            `json:"links"`
	// Contradictions counts those that are open.
	Contradictions int      `json:"contradictions"`
	Healthy        bool     `json:"healthy"`
	Problems       []string `json:"problems,omitempty"`
}

// modeOf is the mode of an update that names none: an agent that corrects what it has just used edits it, one that has
// not states something new. What leaves the content as it is replaces nothing.
func (a *updateArgs) modeOf() engram.UpdateMode {
	if a.Mode == "" && a.Content != nil {
		return engram.UpdateByUse
	}
	return engram.UpdateMode(a.Mode)
}

func (s *Server) update(ctx context.Context, a updateArgs) (any, string, error) {
	outcome, err := s.backend.Update(ctx, s.in(a.Space), a.ID, engram.Change{
		Content: a.Content, Confidence: a.Confidence, Tags: a.Tags, Pin: a.Pin, ValidUntil: a.ValidUntil,
		Mode: a.modeOf(), Reason: a.Reason,
	})
	if err != nil {
		return nil, "", err
	}
	switch version := strconv.Itoa(outcome.Version); outcome.Result {
	case engram.Superseded:
		return outcome, "Memory " + quote(a.ID) + " was replaced by " + quote(outcome.ID) + ".", nil
	case engram.Unchanged:
		return outcome, "Memory " + quote(outcome.ID) + " is so already: it stays at version " + version + ".", nil
	default:
		return outcome, "Memory " + quote(outcome.ID) + " is at version " + version + ".", nil
	}
}

func (s *Server) link(ctx context.Context, a linkArgs) (any, string, error) {
	space := s.in(a.Space)
	if a.Remove {
		if a.Weight != nil {
			return nil, "", &engram.InvalidError{
				Field: "weight", Value: "given with remove", Allowed: "give one of them",
			}
		}
		removed, err := s.backend.Unlink(ctx, space, a.From, a.To, a.Type)
		if err != nil {
			return nil, "", err
		}
		text := "There was no such association."
		if removed {
			text = "The association was removed."
		}
		return linked{Removed: removed}, text, nil
	}
	if err := s.backend.Link(ctx, space, a.From, engram.Link{To: a.To, Type: a.Type, Weight: a.Weight}); err != nil {
		return nil, "", err
	}
	weight := engram.DefaultLinkWeight
	if a.Weight != nil {
		weight = *a.Weight
	}
	return linked{Weight: &weight}, "The memories are associated.", nil
}

func (s *Server) status(ctx context.Context, a statusArgs) (any, string, error) {
	space := s.in(a.Space)
	stats, err := s.backend.Stats(ctx, space)
	if err != nil {
		return nil, "", err
	}
	pairs, err := s.backend.Contradictions(ctx, space, "")
	if err != nil {
		return nil, "", err
	}
	out := status{
		Memories: stats.Memories, Archived: stats.Archived, Links: stats.Links, Problems: stats.Problems,
		Tiers: map[string]int{
			string(engram.TierHot): stats.Hot, string(engram.TierWarm): stats.Warm, string(engram.TierCold): stats.Cold,
		},
	}
	for _, p := range pairs {
		if p.Open {
			out.Contradictions++
		}
	}
	out.Healthy = len(out.Problems) == 0
	return out, statusText(space, out), nil
}
