package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

const mediaBytes = "application/octet-stream"

// remoteVault is all spaces behind a server. Its methods do what those of engram.DB do.
type remoteVault struct{ *remote }

// Backup copies the server's stream to w. A stream that was cut off has no report, which is an error.
func (r remoteVault) Backup(
	ctx context.Context, w io.Writer, o engram.BackupOptions,
) (report engram.BackupReport, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return report, fmt.Errorf("encode request: %w", err)
	}
	resp, err := r.do(ctx, http.MethodPost, r.base+"/v1/backup", mediaJSON, bytes.NewReader(body))
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), resp.Body)
	if err != nil {
		return report, fmt.Errorf("read the server's backup after %d bytes: %w", n, err)
	}
	if text := resp.Trailer.Get("Engram-Problem"); text != "" {
		var p problem.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return report, fmt.Errorf("read why the server's backup failed after %d bytes: %w", n, err)
		}
		return report, fmt.Errorf("the server's backup failed after %d bytes: %w", n, &p)
	}
	if err := json.Unmarshal([]byte(resp.Trailer.Get("Engram-Backup")), &report); err != nil {
		return report, fmt.Errorf("read the server's backup: its report is missing after %d bytes: %w", n, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != report.Bytes || got != report.SHA256 {
		return report, fmt.Errorf("%d bytes of the server's backup came, with SHA-256 %s; it sent %d with %s: %w", n,
			got, report.Bytes, report.SHA256, engram.ErrCorrupt)
	}
	return report, nil
}

// Restore sends backups.
func (r remoteVault) Restore(
	ctx context.Context, in io.Reader, o engram.RestoreOptions,
) (report engram.RestoreReport, err error) {
	query := url.Values{}
	if len(o.Spaces) > 0 {
		query.Set("spaces", strings.Join(o.Spaces, ","))
	}
	if o.As != "" {
		query.Set("as", o.As)
	}
	if o.Position > 0 {
		query.Set("position", strconv.FormatUint(o.Position, 10))
	}
	if !o.Time.IsZero() {
		query.Set("time", o.Time.Format(time.RFC3339Nano))
	}
	target := r.base + "/v1/restore"
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	resp, err := r.do(ctx, http.MethodPost, target, mediaBytes, in)
	if err != nil {
		return report, err
	}
	return report, decodeReply(resp, &report)
}

// Upgrade has the server upgrade spaces.
func (r remoteVault) Upgrade(ctx context.Context, o engram.UpgradeOptions) (report engram.UpgradeReport, err error) {
	return report, r.call(ctx, http.MethodPost, r.base+"/v1/upgrade", o, &report)
}
