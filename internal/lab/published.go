package lab

import (
	"bytes"
	"embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed published
var files embed.FS

// published is everything that the engine is compared with.
type published struct {
	savings []series
	fan     []fanCell
	points  map[string]float64
	model   modelReference
	ppr     pprReference
	bounds  bounds
}

// series is how one subject forgot.
type series struct {
	subject string
	days    []float64
	savings []float64
}

// fanCell is one condition of Anderson's experiment; model is what ACT-R gives for it, in seconds.
type fanCell struct {
	target           bool
	person, location int
	human, model     float64
}

type schedule struct {
	ID    string
	Days  []float64 `json:"use_days"`
	Grade int
	S     float64
	R30   float64
}

type modelReference struct {
	Note      string
	Schedules []schedule
	Optimum   []struct {
		S0  float64
		RI  []float64 `json:"RI_days"`
		Gap []float64 `json:"gap_days"`
	} `json:"spacing_optimum"`
	Belief []beliefCase
}

// pprReference are small graphs with their exact activation.
type pprReference struct {
	Note  string
	Exact []struct {
		ID     string
		Adj    [][]int
		Seed   map[string]float64
		Alpha  float64
		Expect []float64
		Note   string
	}
}

type beliefCase struct {
	ID     string
	ZP, ZN float64 // log-odds for and against, added up
	NP, NN int
	L, P   float64
}

// bounds is what replications must reach; see published/bounds.json.
type bounds struct {
	Note              string  `json:"note"`
	ForgettingR2      float64 `json:"forgetting_r2"`
	ForgettingSSE     float64 `json:"forgetting_sse"`
	SACRMSE           float64 `json:"sac_rmse"`
	SACTolerance      float64 `json:"sac_rmse_tolerance"`
	ScheduleStability float64 `json:"schedule_stability"`
	ScheduleR30       float64 `json:"schedule_r30"`
	FanTargets        float64 `json:"fan_targets_r"`
	FanFoils          float64 `json:"fan_foils_r"`
	FanJoint          float64 `json:"fan_joint_r"`
	FanRMSE           float64 `json:"fan_rmse_s"`
	First             float64 `json:"interference_first_min"`
	Twenty            float64 `json:"interference_twenty_max"`
	OtherCue          float64 `json:"interference_other_cue_max_loss"`
	Top1              float64 `json:"completion_top1"`
	Cosine            float64 `json:"completion_cosine"`
	Belief            float64 `json:"belief"`
	SpreadAlpha       float64 `json:"spread_alpha"`
	SpreadEpsilon     float64 `json:"spread_epsilon"`
	HalfWay           float64 `json:"completion_half_way"`
	Slots             float64 `json:"completion_slots_ece"`
	ReviewsLoss       float64 `json:"reviews_loss"`
	ReviewsAUC        float64 `json:"reviews_auc"`
	BeliefECE         float64 `json:"belief_ece"`
	BeliefECEWorst    float64 `json:"belief_ece_worst"`
	BeliefBrierGap    float64 `json:"belief_brier_gap"`
	Smaller           float64 `json:"consolidation_smaller"`
	RecallLost        float64 `json:"consolidation_recall_lost"`
}

func loadPublished() (*published, error) {
	p := &published{points: map[string]float64{}}
	err := errors.Join(
		decode("model_reference.json", &p.model), decode("ppr_reference.json", &p.ppr),
		decode("bounds.json", &p.bounds), p.loadSavings(), p.loadFan(), p.loadPoints(),
	)
	if err != nil {
		return nil, fmt.Errorf("load published numbers: %w", err)
	}
	return p, nil
}

func decode(name string, into any) error {
	data, err := files.ReadFile("published/" + name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// record is one line of a table with the names of its columns. The first error stays.
type record struct {
	row map[string]string
	err error
}

func (r *record) number(column string) float64 {
	x, err := strconv.ParseFloat(r.row[column], 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("column %s: %q is no number", column, r.row[column])
	}
	return x
}

// eachRecord goes through a table with a line of names.
func eachRecord(name string, in io.Reader, fn func(*record)) error {
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 {
		return fmt.Errorf("%s: no line of names", name)
	}
	for i, row := range rows[1:] {
		r := &record{row: map[string]string{}}
		for j, column := range rows[0] {
			r.row[column] = row[j]
		}
		if fn(r); r.err != nil {
			return fmt.Errorf("%s, record %d: %w", name, i+1, r.err)
		}
	}
	return nil
}

func embedded(name string, fn func(*record)) error {
	f, err := files.Open("published/" + name)
	if err != nil {
		return err
	}
	return errors.Join(eachRecord(name, f, fn), f.Close())
}

func (p *published) loadSavings() error {
	const minutesADay = 24 * 60
	return embedded("ebbinghaus_savings.csv", func(r *record) {
		if n := len(p.savings); n == 0 || p.savings[n-1].subject != r.row["subject"] {
			p.savings = append(p.savings, series{subject: r.row["subject"]})
		}
		s := &p.savings[len(p.savings)-1]
		s.days = append(s.days, r.number("fit_minutes")/minutesADay)
		s.savings = append(s.savings, r.number("savings"))
	})
}

func (p *published) loadFan() error {
	return embedded("fan_anderson1974.csv", func(r *record) {
		p.fan = append(p.fan, fanCell{
			target: r.row["probe"] == "target", person: int(r.number("person_fan")),
			location: int(r.number("location_fan")), human: r.number("human_s"), model: r.number("actr_model_s"),
		})
	})
}

func (p *published) loadPoints() error {
	return embedded("points.csv", func(r *record) { p.points[r.row["key"]] = r.number("value") })
}

// spacingCell is one condition of Cepeda et al. (2008), the share recalled in per cent.
type spacingCell struct{ gap, delay, recall float64 }

// cepeda reads the digitised table, which is not shipped: its licence is not known. It lies in tables beside the folder
// with data.
func (b *bench) cepeda() (cells []spacingCell, err error) {
	if b.dataDir == "" {
		return nil, fmt.Errorf("%w: set ENGRAM_DATA to the folder beside tables/cepeda2008.csv", errNotShipped)
	}
	path := filepath.Join(b.dataDir, "..", "tables", "cepeda2008.csv")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no file %s", errNotShipped, path)
	}
	if err != nil {
		return nil, err
	}
	err = eachRecord(path, f, func(r *record) {
		if r.row["panel"] == "d" && r.row["experiment"] == "Cepeda et al. (2008)" {
			cells = append(cells, spacingCell{r.number("isi_days"), r.number("ri_days"), r.number("recall_pct")})
		}
	})
	if err == nil && len(cells) == 0 {
		err = fmt.Errorf("%s has no cell of Cepeda et al. (2008)", path)
	}
	return cells, errors.Join(err, f.Close())
}
