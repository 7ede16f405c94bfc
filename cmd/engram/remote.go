package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

const (
	// maxReply bounds the answers that are held whole, in bytes: the largest possible recall of 1,000 hits with the
	// largest content fits several times.
	maxReply = 512 << 20
	// healthTimeout is how long a server may take to say that it is there: chosen.
	healthTimeout = 2 * time.Second

	mediaJSON  = "application/json"
	mediaLines = "application/x-ndjson"
)

// remote is a space behind a server. Its methods do what those of engram.Space do; their errors are
// *problem.Problem, which errors.Is tells apart by the engine's sentinels. It is safe for concurrent use.
type remote struct {
	base  string // http://host:port
	space string
	http  *http.Client
	gone  error // why no server can be asked; nil if one can
}

// findServer returns a client of the server that holds dir, nil if none answers. held is the error that the holder's
// lock gave: an address of another process was left by a server that is gone, and its port may be anybody's by now.
func (a *app) findServer(ctx context.Context, dir string, held error) *remote {
	address, err := server.ReadAddress(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.notef("%v", err)
		}
		return nil
	}
	if locked, ok := errors.AsType[*engram.LockedError](held); ok && locked.PID > 0 && locked.PID != address.PID {
		return nil
	}
	r := &remote{base: "http://" + address.Addr, space: a.space, http: &http.Client{Transport: &http.Transport{}}}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	resp, err := r.do(ctx, http.MethodGet, r.base+"/healthz", "", nil)
	if err != nil {
		return nil
	}
	_ = resp.Body.Close() // Nothing of it is needed.
	return r
}

// Remember stores one memory.
func (r *remote) Remember(ctx context.Context, d engram.Draft) (o engram.Outcome, err error) {
	return o, r.call(ctx, http.MethodPost, r.url("memories"), d, &o)
}

// Recall finds memories.
func (r *remote) Recall(ctx context.Context, cue engram.Cue) (engram.Answer, error) {
	var answer wire.Answer
	err := r.call(ctx, http.MethodPost, r.url("recall"), cue, &answer)
	return answer.Engine(), err
}

// Feedback says what memories were worth.
func (r *remote) Feedback(ctx context.Context, f engram.Feedback) (report engram.FeedbackReport, err error) {
	return report, r.call(ctx, http.MethodPost, r.url("feedback"), f, &report)
}

// Get reads one memory, with its vector and its links.
func (r *remote) Get(ctx context.Context, id string) (engram.Memory, error) {
	m, err := r.read(ctx, id, "links")
	return m.Memory, err
}

// History reads every version of a memory, oldest first.
func (r *remote) History(ctx context.Context, id string) ([]engram.Memory, error) {
	m, err := r.read(ctx, id, "history")
	return m.History, err
}

// Neighbors reads a memory's neighbours in its session.
func (r *remote) Neighbors(ctx context.Context, id string) ([]engram.Association, error) {
	m, err := r.read(ctx, id, "neighbors")
	return m.Neighbors, err
}

// read reads a memory with what is to be included.
func (r *remote) read(ctx context.Context, id, include string) (m wire.Memory, err error) {
	target := r.url("memories", id) + "?" + url.Values{"include": {include}, "vectors": {"true"}}.Encode()
	return m, r.call(ctx, http.MethodGet, target, nil, &m)
}

// Update makes a new version of a memory.
func (r *remote) Update(ctx context.Context, id string, c engram.Change) (o engram.Outcome, err error) {
	return o, r.call(ctx, http.MethodPatch, r.url("memories", id), c, &o)
}

// Forget archives or erases memories.
func (r *remote) Forget(ctx context.Context, q engram.ForgetRequest) (report engram.ForgetReport, err error) {
	return report, r.call(ctx, http.MethodPost, r.url("forget"), q, &report)
}

// Restore brings an archived memory back.
func (r *remote) Restore(ctx context.Context, id string) (o engram.Outcome, err error) {
	return o, r.call(ctx, http.MethodPost, r.url("memories", id, "restore"), nil, &o)
}

// Link associates two memories.
func (r *remote) Link(ctx context.Context, from string, l engram.Link) error {
	return r.call(ctx, http.MethodPost, r.url("links"), wire.Link{From: from, Link: l}, nil)
}

// Unlink removes an association and reports whether there was one.
func (r *remote) Unlink(ctx context.Context, from, to, linkType string) (bool, error) {
	query := url.Values{"from": {from}, "to": {to}}
	if linkType != "" {
		query.Set("type", linkType)
	}
	var gone wire.Unlinked
	err := r.call(ctx, http.MethodDelete, r.url("links")+"?"+query.Encode(), nil, &gone)
	return gone.Removed, err
}

// Stats counts what the space holds.
func (r *remote) Stats(ctx context.Context) (s engram.SpaceStats, err error) {
	return s, r.call(ctx, http.MethodGet, r.url("stats"), nil, &s)
}

// VerifyPaced checks everything that the space has on disk.
func (r *remote) VerifyPaced(ctx context.Context, o engram.VerifyOptions) (report engram.VerifyReport, err error) {
	query := url.Values{}
	if o.BytesPerSecond > 0 {
		query.Set("bytes_per_second", strconv.FormatInt(o.BytesPerSecond, 10))
	}
	met := func(r *engram.VerifyReport) *[]engram.Problem { return &r.Problems }
	return report, work(ctx, r, r.url("verify"), query, &report, o.Progress, met)
}

// work asks for long work, the report of which goes to report, and with progress not nil for lines that tell of it. met
// is the part of a report of which a line has what was met since the line before.
func work[R engram.VerifyReport | engram.CompactReport](
	ctx context.Context, r *remote, target string, query url.Values, report *R, progress func(R),
	met func(*R) *[]engram.Problem,
) (err error) {
	if progress != nil {
		query.Set("progress", "true")
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	if progress == nil {
		return r.call(ctx, http.MethodPost, target, nil, report)
	}
	resp, err := r.do(ctx, http.MethodPost, target, "", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	lines := json.NewDecoder(resp.Body)
	lines.DisallowUnknownFields()
	var all []engram.Problem
	for {
		var l wire.WorkLine[R]
		if err := lines.Decode(&l); err != nil {
			return fmt.Errorf("read how far the server is: %w", err)
		}
		switch {
		case l.Problem != nil:
			return l.Problem
		case l.Report != nil:
			*report = *l.Report
			return nil
		case l.Progress != nil:
			all = append(all, *met(l.Progress)...)
			*met(l.Progress) = all
			progress(*l.Progress)
		}
	}
}

// Compact compacts the space.
func (r *remote) Compact(ctx context.Context, o engram.CompactOptions) (report engram.CompactReport, err error) {
	query := url.Values{}
	if o.BytesPerSecond > 0 {
		query.Set("bytes_per_second", strconv.FormatInt(o.BytesPerSecond, 10))
	}
	if o.ColdAfter != 0 {
		query.Set("cold_after", o.ColdAfter.String())
	}
	if o.Tier != "" {
		query.Set("tier", string(o.Tier))
	}
	met := func(r *engram.CompactReport) *[]engram.Problem { return &r.Left }
	return report, work(ctx, r, r.url("compact"), query, &report, o.Progress, met)
}

// Export copies the space's lines to w and counts them. An answer that was cut off is an error.
func (r *remote) Export(ctx context.Context, w io.Writer) (report engram.ExportReport, err error) {
	resp, err := r.do(ctx, http.MethodGet, r.url("export"), "", nil)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	last := ""
	for {
		text, readErr := lines.ReadBytes('\n')
		if len(text) > 0 {
			var line exportLine
			if err := json.Unmarshal(text, &line); err != nil {
				return report, fmt.Errorf("read the server's export after %d lines: %w", report.Versions,
					errors.Join(err, readErr))
			}
			if line.Problem != nil {
				return report, line.Problem
			}
			if _, err := w.Write(text); err != nil {
				return report, fmt.Errorf("write the server's export after %d lines: %w", report.Versions, err)
			}
			line.count(&report, &last)
		}
		if errors.Is(readErr, io.EOF) {
			return report, nil
		}
		if readErr != nil {
			return report, fmt.Errorf("read the server's export after %d lines: %w", report.Versions, readErr)
		}
	}
}

// exportLine is what the lines of an export are counted by. The last may say why the rest is missing.
type exportLine struct {
	ID    string
	Space json.RawMessage
	wire.LastLine
}

// count adds a line to the report; last is the id of the memory of the line before.
func (l *exportLine) count(report *engram.ExportReport, last *string) {
	if l.Space != nil {
		report.Others++
		return
	}
	report.Versions++
	if l.ID != *last { // The versions of a memory stand together.
		report.Memories++
		*last = l.ID
	}
}

// Import sends the lines of in. Progress is not called: the server does the work.
func (r *remote) Import(
	ctx context.Context, in io.Reader, o engram.ImportOptions,
) (report engram.ImportReport, err error) {
	target := r.url("import") + "?strict=" + strconv.FormatBool(o.Strict)
	resp, err := r.do(ctx, http.MethodPost, target, mediaLines, in)
	if err != nil {
		return report, err
	}
	return report, decodeReply(resp, &report)
}

// url is the address of something in the space. Each part is one segment, whatever it contains.
func (r *remote) url(parts ...string) string {
	var target strings.Builder
	target.WriteString(r.base + "/v1/spaces/" + wire.EscapeSegment(r.space))
	for _, part := range parts {
		target.WriteString("/" + wire.EscapeSegment(part))
	}
	return target.String()
}

// call sends body as JSON, nothing if it is nil, and decodes the reply into out, if that is not nil.
func (r *remote) call(ctx context.Context, method, target string, body, out any) error {
	var reader io.Reader
	media := ""
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil { // A number that JSON does not have, such as NaN.
			return fmt.Errorf("encode request: %w: %w", err, engram.ErrInvalid)
		}
		reader, media = bytes.NewReader(data), mediaJSON
	}
	resp, err := r.do(ctx, method, target, media, reader)
	if err != nil {
		return err
	}
	if out == nil {
		return resp.Body.Close()
	}
	return decodeReply(resp, out)
}

// do sends a request. A reply that is not a success comes back as a *problem.Problem.
func (r *remote) do(ctx context.Context, method, target, media string, body io.Reader) (*http.Response, error) {
	if r.gone != nil {
		return nil, r.gone
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := r.http.Do(req)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && ctx.Err() == nil {
		return nil, noServer(r.base, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	return nil, replyProblem(resp)
}

// noServer is the error for a server that cannot be reached any more: nothing was sent to it.
func noServer(base string, err error) error {
	return fmt.Errorf("no server answers at %s any more: start it again with 'engram serve': %w: %w", base, err,
		engram.ErrClosed)
}

// decodeReply decodes the whole body and closes it. A field that this binary does not know is an error: an answer
// must not be shown with a part missing.
func decodeReply(resp *http.Response, out any) (err error) {
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	dec := json.NewDecoder(io.LimitReader(resp.Body, maxReply))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("read the server's answer (is it of another version? 'engram version'): %w", err)
	}
	return nil
}

// replyProblem reads an answer that is an error.
func replyProblem(resp *http.Response) error {
	var p problem.Problem
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != problem.ContentType {
		return errors.Join(fmt.Errorf("the server answered %s without saying why", resp.Status), resp.Body.Close())
	}
	if err := decodeReply(resp, &p); err != nil {
		return err
	}
	return &p
}
