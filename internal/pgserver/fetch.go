package pgserver

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	answerTimeout = 30 * time.Second
	megabyte      = 1e6
)

// fetch writes the tarball to file and compares its sum.
func (p npmPackage) fetch(ctx context.Context, file string, opts Options) error {
	opts.say("downloading PostgreSQL %s from %s", p.version, p.url())
	body, size, err := get(ctx, p.url())
	if err != nil {
		return err
	}
	defer body.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	sum := sha512.New()
	n, err := io.Copy(io.MultiWriter(out, sum, &meter{opts: opts, size: size}), io.LimitReader(body, packedLimit+1))
	if err != nil {
		return fmt.Errorf("downloading %s: %w", p.url(), err)
	}
	if n > packedLimit {
		return fmt.Errorf("%s is larger than expected", p.url())
	}
	if base64.StdEncoding.EncodeToString(sum.Sum(nil)) != p.sha512 {
		return fmt.Errorf("%s: sha512 does not match", p.url())
	}
	return out.Close()
}

func get(ctx context.Context, url string) (io.ReadCloser, int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	// The sum is that of the packed file, so nothing may unpack it on the way.
	request.Header.Set("Accept-Encoding", "identity")
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, 0, errors.New("http.DefaultTransport was replaced")
	}
	transport = transport.Clone()
	transport.ResponseHeaderTimeout = answerTimeout
	transport.DisableKeepAlives = true
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, 0, fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return response.Body, response.ContentLength, nil
}

// meter reports the progress of a download.
type meter struct {
	opts       Options
	size, done int64 // size is -1 when the server does not say it
	told       int64
}

const tellEvery = 2 << 20

func (m *meter) Write(b []byte) (int, error) {
	m.done += int64(len(b))
	if m.done-m.told < tellEvery && m.done != m.size {
		return len(b), nil
	}
	m.told = m.done
	if m.size > 0 {
		m.opts.say("downloading: %d %% of %.1f MB", 100*m.done/m.size, float64(m.size)/megabyte)
	} else {
		m.opts.say("downloading: %.1f MB", float64(m.done)/megabyte)
	}
	return len(b), nil
}
