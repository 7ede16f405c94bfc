package lab

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestMeasures holds the measures of calibration to values calculated independently.
func TestMeasures(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "dynamics", "testdata", "confidence_reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			P, Y       []float64
			Brier, ECE float64
		} `json:"brier_ece"`
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Cases) == 0 {
		t.Fatalf("read reference: %v, %d cases", err, len(file.Cases))
	}
	for _, c := range file.Cases {
		right := make([]bool, len(c.Y))
		for i, y := range c.Y {
			right[i] = y == 1
		}
		if got := brier(c.P, right); math.Abs(got-c.Brier) > 1e-12 {
			t.Errorf("Brier score = %v, want %v", got, c.Brier)
		}
		if got := calibrationError(c.P, right); math.Abs(got-c.ECE) > 1e-12 {
			t.Errorf("calibration error = %v, want %v", got, c.ECE)
		}
	}
}
