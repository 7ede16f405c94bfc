package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/orchard9/engram-go/server/problem"
)

// onlyHosts refuses requests over loopback whose Host header names something else than this machine (DNS rebinding).
func onlyHosts(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		name := hostname(r.Host)
		if !ok || !isLoopbackAddr(local) || isLoopbackName(name) || slices.ContainsFunc(hosts, equalFold(name)) {
			next.ServeHTTP(w, r)
			return
		}
		text := fmt.Sprintf("Host is %q: over loopback this server answers to localhost and loopback addresses; "+
			"allow other names when starting it", r.Host)
		p := problem.New(problem.CodeHost, text)
		p.Field, p.Value, p.Allowed = "Host", r.Host, "localhost, a loopback address, or an allowed name"
		problem.Write(w, p)
	})
}

// equalFold matches a host name, whatever its case.
func equalFold(name string) func(string) bool {
	return func(other string) bool { return strings.EqualFold(name, other) }
}

// hostname is a Host header without its port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// isLoopbackName reports whether a host's name can only mean this machine.
func isLoopbackName(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLoopbackAddr reports whether a connection's own end is a loopback address.
func isLoopbackAddr(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// sameOrigin refuses writes that a browser sends for a page of another origin.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := fmt.Sprintf("a page of origin %q may not write here: call from a program, or from a page of this "+
			"server", r.Header.Get("Origin"))
		p := problem.New(problem.CodeCrossOrigin, text)
		p.Field, p.Value = "Origin", r.Header.Get("Origin")
		problem.Write(w, p)
	}))
	return protection.Handler(next)
}

// limiter returns a wrapper that lets n requests in at once, over all handlers it wraps, and refuses more.
func limiter(n int) func(http.Handler) http.Handler {
	places := make(chan struct{}, n)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", "1")
				text := fmt.Sprintf("%d requests are being worked on, which is the limit: try again in a moment", n)
				problem.Write(w, problem.New(problem.CodeOverloaded, text))
			}
		})
	}
}
