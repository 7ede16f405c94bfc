package wal

// FileKind is the log file's kind in its header, FormatVersion the newest version that is read, and the one written.
const (
	FileKind      = fileKind
	FormatVersion = fileVersion
)
