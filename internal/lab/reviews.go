package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// reviewLog is the file with a log of reviews of flash cards, in the folder with data that is not shipped: a test file
// of open-spaced-repetition/py-fsrs at 3abe686 (MIT).
const reviewLog = "review_logs_josh_1711744352250_to_1728234780857.csv"

func reviewing(p *published) []experiment {
	pt := p.points
	return []experiment{{
		row: Row{
			ID: "F2", Replicates: "which model predicts reviews of flash cards, nothing fitted",
			Source: "the log of one person, py-fsrs@3abe686",
			Published: fmt.Sprintf("log loss %.4f, AUC %.4f over the later half (calculated independently)",
				pt["reviews_loss"],
				pt["reviews_auc"]),
			NotClaimed: "the way through the API: whoever fails in the log learns anew, which being of no use is not " +
				"to the engine; the row asks the engine's model, internal/dynamics. Nor that an agent's needs are " +
				"like a person's reviews",
		},
		reference: func(b *bench) (string, error) {
			log, err := b.reviews()
			if err != nil {
				return "", err
			}
			rate := recalledRate(log)
			loss, _ := score(log, func(*card, *review) float64 { return rate })
			return fmt.Sprintf("the mean of the earlier half: log loss %.4f", loss), nil
		},
		run: func(b *bench) (finding, error) { return predictReviews(b, dynamics.New(dynamics.DefaultWeights())) },
		off: "spacing: no gain from it, w10 = 0",
		ablated: func(b *bench) (finding, error) {
			return predictReviews(b, dynamics.New(dynamics.DefaultWeights()).Without(dynamics.Spacing))
		},
	}}
}

// review is one answer to a card.
type review struct {
	card  float64
	grade dynamics.Grade
	at    time.Time
}

// reviews reads the log, in the order of time.
func (b *bench) reviews() (log []review, err error) {
	if b.dataDir == "" {
		return nil, fmt.Errorf("%w: set ENGRAM_DATA to a folder with %s", errNotShipped, reviewLog)
	}
	path := filepath.Join(b.dataDir, reviewLog)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no file %s", errNotShipped, path)
	}
	if err != nil {
		return nil, err
	}
	err = eachRecord(path, f, func(r *record) {
		at, err := time.Parse(time.RFC3339Nano, r.row["review_time"])
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("review_time %q is no time", r.row["review_time"])
		}
		log = append(log, review{card: r.number("card_id"), grade: dynamics.Grade(r.number("review_rating")), at: at})
	})
	slices.SortStableFunc(log, func(a, b review) int { return a.at.Compare(b.at) })
	if err == nil && len(log) == 0 {
		err = fmt.Errorf("%s has no reviews", path)
	}
	return log, errors.Join(err, f.Close())
}

// card is what is known of one card.
type card struct {
	strength dynamics.Strength
	last     time.Time
}

// recalledRate is how often the earlier half was recalled.
func recalledRate(log []review) float64 {
	rate := 0.0
	half := log[:len(log)/2]
	for _, r := range half {
		if r.grade > dynamics.Again {
			rate += 1 / float64(len(half))
		}
	}
	return rate
}

// score asks predict for each review of the later half that comes a day or more after the one before it, and gives the
// mean log loss and the area under the ROC curve.
func score(log []review, predict func(*card, *review) float64) (loss, auc float64) {
	const least = 1e-6
	var p []float64
	var recalled []bool
	cards := map[float64]*card{}
	for i := range log {
		r := &log[i]
		c := cards[r.card]
		if c == nil {
			c = &card{}
			cards[r.card] = c
		}
		guess := predict(c, r)
		if i >= len(log)/2 && !c.last.IsZero() && r.at.Sub(c.last) >= 24*time.Hour {
			p, recalled = append(p, min(max(guess, least), 1-least)), append(recalled, r.grade > dynamics.Again)
		}
		c.last = r.at
	}
	for i := range p {
		if recalled[i] {
			loss -= math.Log(p[i]) / float64(len(p))
		} else {
			loss -= math.Log1p(-p[i]) / float64(len(p))
		}
	}
	return loss, area(p, recalled)
}

// area is the probability that one that was recalled was given a higher probability than one that was not; half for
// equal ones.
func area(p []float64, recalled []bool) float64 {
	var yes, no []float64
	for i := range p {
		if recalled[i] {
			yes = append(yes, p[i])
		} else {
			no = append(no, p[i])
		}
	}
	slices.Sort(no)
	sum := 0.0
	for _, x := range yes {
		below, _ := slices.BinarySearch(no, x)
		after, _ := slices.BinarySearch(no, math.Nextafter(x, 2))
		sum += float64(below) + float64(after-below)/2
	}
	return sum / float64(len(yes)) / float64(len(no))
}

// predictReviews is F2.
func predictReviews(b *bench, m *dynamics.Model) (finding, error) {
	log, err := b.reviews()
	if err != nil {
		return finding{}, err
	}
	loss, auc := score(log, func(c *card, r *review) float64 {
		if c.last.IsZero() {
			c.strength = m.Initial(r.grade)
			return 0
		}
		days := r.at.Sub(c.last).Hours() / 24
		p := m.Retrievability(days, c.strength.Stability)
		c.strength = m.Step(c.strength, r.grade, days)
		return p
	})
	bound := &b.published.bounds
	f := finding{engine: fmt.Sprintf("log loss %.4f, AUC %.4f", loss, auc)}
	f.check(loss <= bound.ReviewsLoss, "log loss %.4f, at most %v is wanted", loss, bound.ReviewsLoss)
	f.check(auc >= bound.ReviewsAUC, "AUC %.4f, at least %v is wanted", auc, bound.ReviewsAUC)
	return f, nil
}
