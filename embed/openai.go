package embed

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// OpenAI is a service that speaks the embeddings call of OpenAI's API: POST <URL>/embeddings.
type OpenAI struct {
	// URL is where the service is, such as "http://localhost:11434/v1". An address that ends in /embeddings is taken as
	// it is.
	URL string
	// Model is what the service calls the model.
	Model string
	// Key is sent as a bearer token; "" sends none, as services on the same machine want it.
	Key string
	// Dim asks for vectors of that dimension, which not every service can; 0 leaves it to the model.
	Dim int
	// Client makes the requests; nil is one that gives up after two minutes and follows no redirection.
	Client *http.Client
	// Wait waits before another try, and gives an error if that is not wanted any more; nil sleeps.
	Wait func(context.Context, time.Duration) error
}

const (
	maxAnswer = 256 << 20 // of an answer, bytes: 1,000 vectors of 4,096 numbers take some 80 MB
	maxTold   = 300       // of what the service says about an error
	tries     = 5
	firstWait = time.Second // then twice as long each time; chosen
	longest   = time.Minute
)

// request and answer are the call's, the parts that are used here.
type request struct {
	Model      string   `json:"model"`
	Input      []string `json:"input"`
	Dimensions int      `json:"dimensions,omitempty"`
	Format     string   `json:"encoding_format"`
}

type answer struct {
	Data []struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
}

// Embed makes the vectors of texts. A service that is busy (429), or fails (5xx), is asked again after a while, up to
// five times in all. The error says what the service said.
func (o OpenAI) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	target, err := o.target()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(request{Model: o.Model, Input: texts, Dimensions: o.Dim, Format: "float"})
	if err != nil {
		return nil, fmt.Errorf("encode texts: %w", err)
	}
	wait := firstWait
	for try := 1; ; try++ {
		vectors, again, err := o.ask(ctx, target, body, len(texts))
		if err == nil {
			return vectors, nil
		}
		if again == 0 || try == tries || ctx.Err() != nil {
			return nil, fmt.Errorf("ask %s for embeddings: %w", target, err)
		}
		if err := o.wait(ctx, min(max(wait, again), longest)); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

// Check tells whether the service can be asked at all, as far as that shows without asking it.
func (o OpenAI) Check() error {
	_, err := o.target()
	return err
}

// target is the address of the call.
func (o OpenAI) target() (string, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("the address of the embedder is %q: want one such as http://localhost:11434/v1", o.URL)
	}
	if !strings.HasSuffix(u.Path, "/embeddings") {
		u = u.JoinPath("embeddings")
	}
	return u.String(), nil
}

func (o OpenAI) wait(ctx context.Context, d time.Duration) error {
	if o.Wait != nil {
		return o.Wait(ctx, d)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// ask makes one request. again is above 0 if it may be made again, and how long to wait at least.
func (o OpenAI) ask(
	ctx context.Context, target string, body []byte, n int,
) (_ [][]float32, again time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+o.Key)
	}
	client := o.Client
	if client == nil {
		client = &http.Client{
			Timeout:       2 * time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, time.Nanosecond, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		told, _ := io.ReadAll(io.LimitReader(resp.Body, maxTold)) // what there is of it is told
		err := fmt.Errorf("it answered %s: %s", resp.Status, strings.TrimSpace(strings.ToValidUTF8(string(told), "?")))
		if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < 500 {
			return nil, 0, err
		}
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 if it does not say, or says a date
		return nil, cmp.Or(time.Duration(seconds)*time.Second, time.Nanosecond), err
	}
	var got answer
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&got); err != nil {
		return nil, 0, fmt.Errorf("read its answer: %w", err)
	}
	vectors, err := got.vectors(n)
	return vectors, 0, err
}

// vectors gives the vectors in the order of the texts.
func (a answer) vectors(n int) ([][]float32, error) {
	if len(a.Data) != n {
		return nil, fmt.Errorf("it gave %d embeddings for %d texts", len(a.Data), n)
	}
	vectors := make([][]float32, n)
	for _, d := range a.Data {
		switch {
		case d.Index < 0 || d.Index >= n || vectors[d.Index] != nil:
			return nil, fmt.Errorf("it gave an embedding for text %d of %d, or two for it", d.Index, n)
		case len(d.Embedding) == 0:
			return nil, fmt.Errorf("it gave an empty embedding for text %d", d.Index)
		}
		vectors[d.Index] = d.Embedding
	}
	return vectors, nil
}
