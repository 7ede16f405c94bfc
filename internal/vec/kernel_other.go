//go:build purego || !(amd64 || arm64)

package vec

func supported() []kernel { return []kernel{kernelGo} }

func (kernel) dot(a, b []float32) float32 { return dotGo(a, b) }

func (kernel) dotRows(query, rows []float32, stride int, out []float32) {
	dotRowsGo(query, rows, stride, out)
}

func (kernel) stream(v []float32) float32 { return streamGo(v) }
