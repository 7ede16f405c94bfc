//go:build !purego

package vec

import "unsafe"

// The assembly behind kernel. Every pointer is to the first of at least as many
// float32 as the call names, n and count are positive, and stride >= n: Dot, DotRows
// and StreamSum check this before they come here.

//go:noescape
func dotRowsNEON(query *float32, n int, rows *float32, stride int, out *float32, count int)

//go:noescape
func streamNEON(p *float32, n int) float32

// supported returns what this processor can run, fastest first. NEON is part of every
// 64-bit ARM that Go runs on.
func supported() []kernel { return []kernel{kernelNEON, kernelGo} }

func (k kernel) dot(a, b []float32) float32 {
	if k != kernelNEON {
		return dotGo(a, b)
	}
	var out float32
	dotRowsNEON(unsafe.SliceData(a), len(a), unsafe.SliceData(b), len(b), &out, 1)
	return out
}

func (k kernel) dotRows(query, rows []float32, stride int, out []float32) {
	if k != kernelNEON {
		dotRowsGo(query, rows, stride, out)
		return
	}
	q, r, o := unsafe.SliceData(query), unsafe.SliceData(rows), unsafe.SliceData(out)
	dotRowsNEON(q, len(query), r, stride, o, len(out))
}

func (k kernel) stream(v []float32) float32 {
	if k != kernelNEON {
		return streamGo(v)
	}
	return streamNEON(unsafe.SliceData(v), len(v))
}
