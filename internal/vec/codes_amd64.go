//go:build !purego

package vec

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Every pointer is to the first of as many elements as the call names; n is a positive multiple of 64 and count is
// positive: codeKernel.scan checks this.

//go:noescape
func dotCodeRowsVNNI(query *int16, n int, rows *int8, out *int32, count int)

//go:noescape
func dotCodeRowsAVX2(query *int16, n int, rows *int8, out *int32, count int)

// supportedCodes returns what this processor and its operating system can run, fastest first.
func supportedCodes() []codeKernel {
	var k []codeKernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI {
		k = append(k, codesVNNI)
	}
	if cpu.X86.HasAVX2 {
		k = append(k, codesAVX2)
	}
	return append(k, codesGo)
}

func (k codeKernel) dotRows(query []int16, rows []int8, out []int32) {
	q, r, o := unsafe.SliceData(query), unsafe.SliceData(rows), unsafe.SliceData(out)
	switch k {
	case codesVNNI:
		dotCodeRowsVNNI(q, len(query), r, o, len(out))
	case codesAVX2:
		dotCodeRowsAVX2(q, len(query), r, o, len(out))
	default:
		dotCodeRowsGo(query, rows, out)
	}
}
