package lab

import (
	"fmt"
	"math"
)

// minimum finds where f, a function of one positive parameter, is least: a grid over its logarithm, then golden section
// between the neighbours of the best point.
func minimum(low, high float64, f func(float64) float64) (x, y float64) {
	const grid, rounds = 120, 40
	l, step := math.Log(low), math.Log(high/low)/grid
	best, y := 0, math.Inf(1)
	for i := range grid + 1 {
		if v := f(math.Exp(l + float64(i)*step)); v < y {
			best, y = i, v
		}
	}
	a, b := l+float64(best-1)*step, l+float64(best+1)*step
	ratio := (math.Sqrt(5) - 1) / 2
	for range rounds {
		c, d := b-ratio*(b-a), a+ratio*(b-a)
		if f(math.Exp(c)) < f(math.Exp(d)) {
			b = d
		} else {
			a = c
		}
	}
	x = math.Exp((a + b) / 2)
	return x, f(x)
}

// squares is the sum of squared errors of a curve.
func squares(x, y []float64, curve func(float64) float64) (sum float64) {
	for i := range x {
		sum += (y[i] - curve(x[i])) * (y[i] - curve(x[i]))
	}
	return sum
}

// scaled is squares for the factor of a curve that fits best.
func scaled(x, y []float64, curve func(float64) float64) float64 {
	num, den := 0.0, 0.0
	for i := range x {
		num, den = num+y[i]*curve(x[i]), den+curve(x[i])*curve(x[i])
	}
	return squares(x, y, func(t float64) float64 { return num / den * curve(t) })
}

// variation is the sum of squared deviations from the mean.
func variation(y []float64) float64 {
	mean := 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	return squares(y, y, func(float64) float64 { return mean })
}

// regression is y on x: correlation, slope, and the root of the mean squared error.
type regression struct{ r, slope, rmse float64 }

// correlation is r as text; it is undefined where x or y is always the same.
func (r regression) correlation() string {
	if math.IsNaN(r.r) || math.IsInf(r.r, 0) {
		return "undefined"
	}
	return fmt.Sprintf("%.3f", r.r)
}

func regress(x, y []float64) regression {
	n, sx, sy, sxx, sxy, syy := float64(len(x)), 0.0, 0.0, 0.0, 0.0, 0.0
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
		sxx, sxy, syy = sxx+x[i]*x[i], sxy+x[i]*y[i], syy+y[i]*y[i]
	}
	vx, vy, c := sxx-sx*sx/n, syy-sy*sy/n, sxy-sx*sy/n
	return regression{c / math.Sqrt(vx*vy), c / vx, math.Sqrt(max(0, vy-c*c/vx) / n)}
}
