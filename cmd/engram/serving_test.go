package main

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

// TestServingPrintsAnAddressThatWorks: a server on all addresses of the machine names one that a client can connect to,
// and warns.
func TestServingPrintsAnAddressThatWorks(t *testing.T) {
	for ip, want := range map[string]string{
		"0.0.0.0": "http://127.0.0.1:7", "::": "http://127.0.0.1:7", "::1": "http://[::1]:7",
	} {
		var out, errs bytes.Buffer
		a := newApp((&cli{t: t}).process(strings.NewReader(""), &out, &errs))
		if err := a.printServing("/data", &net.TCPAddr{IP: net.ParseIP(ip), Port: 7}); err != nil {
			t.Fatal(err)
		}
		wantIn(t, "serve on "+ip, out.String(), "server  "+want+" ", want+"/v1")
		if warned := strings.Contains(errs.String(), "no access control"); warned == (ip == "::1") {
			t.Errorf("serve on %s says %q", ip, errs.String())
		}
	}
}
