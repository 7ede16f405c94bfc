//go:build !purego

package vec

import "unsafe"

// Every pointer is to the first of as many elements as the call names; n is a positive multiple of 64 and count is
// positive: codeKernel.scan checks this.

//go:noescape
func dotCodeRowsNEON(query *int16, n int, rows *int8, out *int32, count int)

// supportedCodes returns what this processor can run, fastest first.
func supportedCodes() []codeKernel { return []codeKernel{codesNEON, codesGo} }

func (k codeKernel) dotRows(query []int16, rows []int8, out []int32) {
	if k == codesNEON {
		dotCodeRowsNEON(unsafe.SliceData(query), len(query), unsafe.SliceData(rows), unsafe.SliceData(out), len(out))
		return
	}
	dotCodeRowsGo(query, rows, out)
}
