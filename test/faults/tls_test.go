package faults_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

const (
	tlsHost  = "db.example.com"
	password = "open-sesame"
)

// impostor stands at the address of a server: it asks for the password, notes that it got one, and leads then to a real
// server.
type impostor struct {
	name    string
	cert    *tls.Certificate // nil: it does not speak TLS
	version uint16           // the newest that it speaks; 0: any

	dsn      string
	listener net.Listener
	got      atomic.Int64 // passwords
}

func (p *impostor) serve(client net.Conn) {
	defer client.Close()
	backend := pgproto3.NewBackend(client, client)
	start, err := backend.ReceiveStartupMessage()
	if _, asks := start.(*pgproto3.SSLRequest); asks && err == nil {
		if p.cert == nil {
			_, _ = client.Write([]byte{'N'})
		} else {
			_, _ = client.Write([]byte{'S'})
			client = tls.Server(client, &tls.Config{
				Certificates: []tls.Certificate{*p.cert}, MinVersion: tls.VersionTLS10, MaxVersion: p.version,
			})
		}
		backend = pgproto3.NewBackend(client, client)
		start, err = backend.ReceiveStartupMessage()
	}
	startup, ok := start.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if backend.Flush() != nil || backend.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	msg, err := backend.Receive()
	if answer, ok := msg.(*pgproto3.PasswordMessage); err != nil || !ok || answer.Password != password {
		return
	}
	p.got.Add(1)

	ctx, cancel := context.WithTimeout(context.Background(), ceiling)
	defer cancel()
	cfg, err := pgconn.ParseConfig(p.dsn)
	if err != nil {
		return
	}
	for name, value := range startup.Parameters {
		if name != "user" && name != "database" {
			cfg.RuntimeParams[name] = value
		}
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return
	}
	server, err := conn.Hijack()
	if err != nil {
		return
	}
	defer server.Conn.Close()
	backend.Send(&pgproto3.AuthenticationOk{})
	for name, value := range server.ParameterStatuses {
		backend.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	backend.Send(&pgproto3.BackendKeyData{ProcessID: server.PID, SecretKey: server.SecretKey})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server.Conn, client)
		_ = server.Conn.Close()
	}()
	_, _ = io.Copy(client, server.Conn)
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate makes one, signed by itself where the authority is nil.
func (a *authority) certificate(t *testing.T, change func(c *x509.Certificate)) (*tls.Certificate, *authority) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: tlsHost}, DNSNames: []string{tlsHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(c)
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, &authority{parsed, key}
}

func asAuthority(c *x509.Certificate) {
	c.Subject.CommonName, c.DNSNames, c.ExtKeyUsage = "authority", nil, nil
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func impostors(t *testing.T, ours, others *authority) []*impostor {
	t.Helper()
	signed := func(by *authority, change func(c *x509.Certificate)) *tls.Certificate {
		cert, _ := by.certificate(t, change)
		return cert
	}
	as := func(*x509.Certificate) {}
	return []*impostor{
		{name: "good", cert: signed(ours, as)},
		{name: "of another host", cert: signed(ours, func(c *x509.Certificate) { c.DNSNames = []string{"db.example.net"} })},
		{name: "with the host as common name alone", cert: signed(ours, func(c *x509.Certificate) { c.DNSNames = nil })},
		{name: "expired", cert: signed(ours, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })},
		{name: "not valid yet", cert: signed(ours, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })},
		{name: "signed by itself", cert: signed(nil, as)},
		{name: "of another authority", cert: signed(others, as)},
		{name: "of a client", cert: signed(ours, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })},
		{name: "good, by TLS 1.1", cert: signed(ours, as), version: tls.VersionTLS11},
		{name: "none: no TLS"},
	}
}

// TestTLS offers every sort of certificate to every way of asking for one. Only the good one, held against an authority,
// gets the password; who asks for less is refused before it is tried. WithInsecureTLS, the control, gives it away.
func TestTLS(t *testing.T) {
	t.Parallel()
	_, ours := (*authority)(nil).certificate(t, asAuthority)
	_, others := (*authority)(nil).certificate(t, asAuthority)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := []url.Values{{"channel_binding": {"require"}, "sslmode": {"require"}}, {"sslrootcert": {"system"}, "sslmode": {"verify-full"}}}
	for _, mode := range []string{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"} {
		for _, root := range []string{"", file} {
			v := url.Values{}
			if mode != "" {
				v.Set("sslmode", mode)
			}
			if root != "" {
				v.Set("sslrootcert", root)
			}
			asked = append(asked, v)
		}
	}
	dsn := authdbtest.DSN(t)
	var cells, passed, leaks, given int
	for _, p := range impostors(t, ours, others) {
		var err error
		if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		p.dsn = dsn
		t.Cleanup(func() { _ = p.listener.Close() })
		go func() {
			for {
				client, err := p.listener.Accept()
				if err != nil {
					return
				}
				go p.serve(client)
			}
		}()
		for _, v := range asked {
			mode, checks := v.Get("sslmode"), v.Get("sslrootcert") == file
			passes := p.name == "good" && checks && (mode == "" || mode == "prefer" || mode == "verify-full")
			cell := fmt.Sprintf("certificate %s, asked for by %q", p.name, strings.ReplaceAll(v.Encode(), url.QueryEscape(file), "ca.pem"))
			cells++
			got, err := p.open(t, v)
			if passes {
				passed++
				if err != nil || got == 0 {
					t.Errorf("%s: %v", cell, err)
				}
				continue
			}
			if got > 0 {
				leaks++
				t.Errorf("%s: it got the password", cell)
			}
			e, _ := errors.AsType[*authdb.Error](err)
			if e == nil || e.Retry != authdb.RetryNever || strings.Contains(err.Error(), password) {
				t.Errorf("%s: %v, which is not to be tried again", cell, err)
			}
			if got, _ := p.open(t, v, authdb.WithInsecureTLS()); got > 0 && p.name != "good" {
				given++
			}
		}
	}
	record(t, "sorts of certificates by ways to ask for one", cells)
	record(t, "pass: the good one, held against its authority", passed)
	record(t, "passwords that another got", leaks)
	record(t, "control, WithInsecureTLS: passwords that another got", given)
	if given == 0 {
		t.Error("the control gives nothing away")
	}
}

// open opens a store and writes, and returns how many passwords that took.
func (p *impostor) open(t *testing.T, v url.Values, opts ...authdb.Option) (got int64, err error) {
	t.Helper()
	before := p.got.Load()
	dsn := url.URL{Scheme: "postgres", Host: tlsHost, Path: "db", User: url.UserPassword("app", password), RawQuery: v.Encode()}
	s, err := authdb.Open(t.Context(), dsn.String(), append(opts, authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.ConnConfig.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", p.listener.Addr().String())
		}
	}))...)
	if err == nil {
		_, err = s.Users.Create(t.Context(), authdb.CreateUserParams{Email: strings.ToLower(made()) + "@example.com"})
		s.Close()
	}
	return p.got.Load() - before, err
}
