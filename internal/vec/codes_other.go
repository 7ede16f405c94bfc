//go:build purego || !(amd64 || arm64)

package vec

func supportedCodes() []codeKernel { return []codeKernel{codesGo} }

func (codeKernel) dotRows(query []int16, rows []int8, out []int32) { dotCodeRowsGo(query, rows, out) }
