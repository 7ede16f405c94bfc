//go:build !purego

package vec

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// The assembly behind kernel. Every pointer is to the first of at least as many
// float32 as the call names, n and count are positive, and stride >= n: Dot, DotRows
// and StreamSum check this before they come here.

//go:noescape
func dotAVX512(a, b *float32, n int) float32

//go:noescape
func dotRowsAVX512(query *float32, n int, rows *float32, stride int, out *float32, count int)

//go:noescape
func streamAVX512(p *float32, n int) float32

//go:noescape
func dotAVX2(a, b *float32, n int) float32

//go:noescape
func dotRowsAVX2(query *float32, n int, rows *float32, stride int, out *float32, count int)

//go:noescape
func streamAVX2(p *float32, n int) float32

// supported returns what this processor and its operating system can run, fastest
// first. The flags of x/sys/cpu include the operating system's saving of the registers.
func supported() []kernel {
	var k []kernel
	fma := cpu.X86.HasAVX2 && cpu.X86.HasFMA
	if fma && cpu.X86.HasAVX512F {
		k = append(k, kernelAVX512)
	}
	if fma {
		k = append(k, kernelAVX2)
	}
	return append(k, kernelGo)
}

func (k kernel) dot(a, b []float32) float32 {
	switch k {
	case kernelAVX512:
		return dotAVX512(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	case kernelAVX2:
		return dotAVX2(unsafe.SliceData(a), unsafe.SliceData(b), len(a))
	default:
		return dotGo(a, b)
	}
}

func (k kernel) dotRows(query, rows []float32, stride int, out []float32) {
	q, r, o := unsafe.SliceData(query), unsafe.SliceData(rows), unsafe.SliceData(out)
	switch k {
	case kernelAVX512:
		dotRowsAVX512(q, len(query), r, stride, o, len(out))
	case kernelAVX2:
		dotRowsAVX2(q, len(query), r, stride, o, len(out))
	default:
		dotRowsGo(query, rows, stride, out)
	}
}

func (k kernel) stream(v []float32) float32 {
	switch k {
	case kernelAVX512:
		return streamAVX512(unsafe.SliceData(v), len(v))
	case kernelAVX2:
		return streamAVX2(unsafe.SliceData(v), len(v))
	default:
		return streamGo(v)
	}
}
