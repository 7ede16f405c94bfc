package recall

import "math"

// fuse makes the weight of meaning one for scores in this answer. Nats of words and of meaning are not alike enough to
// be added: a question has few words or many, and the nearest memory may stand out by hundreds. So the nearest memory
// becomes worth as much as the best by words, times what is left of the weight beside them. Without words meaning is in
// nats.
func (r *run) fuse() {
	b, w := &r.background, &r.weights
	words, most := r.bestWords(), b.nats(b.largest)
	if words == 0 {
		b.weight = 1
		return
	}
	agreement := r.agreement(words)
	beyond := w.Beyond * (1 + float64(5*agreement)) // what repeats the words can stand out far
	b.weight /= 1 + float64(w.Repeat*agreement)*logistic((beyond-b.apart)/2)
	if most > 0 {
		b.weight *= words / most
	}
}

// bestWords is the largest score by words.
func (r *run) bestWords() float64 {
	best := 0.0
	for _, row := range r.touched {
		best = max(best, r.words[row])
	}
	return best
}

// agreement tells how much similarities and words say the same: their correlation over all memories, less what chance
// gives for so many, and 0 at least. best is the largest score by words.
func (r *run) agreement(best float64) float64 {
	const wordSteps, meaningSteps, far = 1 << 12, 1 << 8, 8
	var m pairs
	for i, row := range r.scan.Rows {
		deviation := max(-far, min(r.background.linear, r.background.deviation(r.scan.Similarities[i])))
		m.add(int64(wordSteps*(r.words[row]/best)), int64(meaningSteps*deviation))
	}
	return max(0, m.correlation()-r.weights.Chance/math.Sqrt(float64(m.n)))
}

// pairs are sums over pairs of whole numbers, which do not depend on their order, as sums of fractions would.
type pairs struct{ n, x, y, xx, yy, xy int64 }

func (m *pairs) add(x, y int64) {
	m.n, m.x, m.y = m.n+1, m.x+x, m.y+y
	m.xx, m.yy, m.xy = m.xx+x*x, m.yy+y*y, m.xy+x*y
}

// correlation is that of the pairs, in [-1,1]; 0 where one side is always the same.
func (m *pairs) correlation() float64 {
	mean := func(sum int64) float64 { return float64(sum) / float64(max(m.n, 1)) }
	covariance := func(products, a, b int64) float64 { return mean(products) - float64(mean(a)*mean(b)) }
	variances := float64(covariance(m.xx, m.x, m.x) * covariance(m.yy, m.y, m.y))
	if !(variances > 0) {
		return 0
	}
	return covariance(m.xy, m.x, m.y) / math.Sqrt(variances)
}
