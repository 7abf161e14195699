package betterauth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
)

// known is a hash that Better Auth 1.6.34 made.
const (
	known         = "336fd2e2954df7b4b12aea89ce27ece0:b46887bfbf578787c3a14017010fd5c172805b63a4458ed5bf9cfcb3f0c23b44e9fd64ecc1fce159e4b958905382c7f51a522884369eba8a478deb199c79cdb6"
	knownPassword = "correct horse battery staple"
)

var hashForm = regexp.MustCompile(`^[0-9a-f]{32}:[0-9a-f]{128}$`)

func TestHashPassword(t *testing.T) {
	hash, err := HashPassword(t.Context(), "pass\u0065\u0301word")
	if err != nil || !hashForm.MatchString(string(hash)) {
		t.Fatalf("got %q, %v", hash, err)
	}
	for password, want := range map[string]bool{"pass\u0065\u0301word": true, "pass\u00e9word": true, "password": false, "": false} {
		if ok, err := VerifyPassword(t.Context(), &hash, password); ok != want || err != nil {
			t.Errorf("%q: got %v, %v", password, ok, err)
		}
	}
	again, err := HashPassword(t.Context(), "pass\u0065\u0301word")
	if err != nil || again[:saltLength] == hash[:saltLength] {
		t.Errorf("the same salt: %q, %v", again, err)
	}
}

func TestPasswordLimits(t *testing.T) {
	var h Hasher
	narrow := Hasher{MinLength: 2, MaxLength: 3}
	for _, test := range []struct {
		hasher         *Hasher
		password       string
		hashed, looked error
	}{
		{&h, "seven77", ErrPasswordTooShort, nil},
		{&h, "", ErrPasswordTooShort, nil},
		{&h, "😀😀😀", ErrPasswordTooShort, nil}, // six code units
		{&h, "eight888", nil, nil},
		{&h, "😀😀😀😀", nil, nil}, // eight code units
		{&h, strings.Repeat("😀", 65), ErrPasswordTooLong, ErrPasswordTooLong},
		{&h, strings.Repeat("a", 129), ErrPasswordTooLong, ErrPasswordTooLong},
		{&h, strings.Repeat("あ", 129), ErrPasswordTooLong, ErrPasswordTooLong},
		{&h, strings.Repeat("a", 1<<20), ErrPasswordTooLong, ErrPasswordTooLong},
		{&h, "not UTF-8 \xff", ErrInvalidPassword, ErrInvalidPassword},
		{&h, "password a" + strings.Repeat("\u0301", 31), ErrInvalidPassword, ErrInvalidPassword},
		{&h, "password \u01df" + strings.Repeat("\u0301", 29), ErrInvalidPassword, ErrInvalidPassword}, // it has two in it
		{&h, "password \u034f\u034f", nil, nil},
		{&narrow, "a", ErrPasswordTooShort, nil},
		{&narrow, "ab", nil, nil},
		{&narrow, "abcd", ErrPasswordTooLong, ErrPasswordTooLong},
	} {
		hash, err := test.hasher.Hash(t.Context(), test.password)
		if !errors.Is(err, test.hashed) || (err == nil) != hashForm.MatchString(string(hash)) {
			t.Errorf("%.20q: hashed to %q, %v, want %v", test.password, hash, err, test.hashed)
		}
		if test.looked == nil {
			continue // TestVerifyCostsOneDerivation looks at these
		}
		if ok, err := test.hasher.Verify(t.Context(), new(authdb.Secret(known)), test.password); ok || !errors.Is(err, test.looked) {
			t.Errorf("%.20q: verified %v, %v, want %v", test.password, ok, err, test.looked)
		}
	}
	for _, password := range []string{strings.Repeat("あ", 128), strings.Repeat("😀", 64)} { // as long as they may be
		if err := h.check(password); err != nil {
			t.Errorf("%.20q: %v", password, err)
		}
	}
	if !errors.Is(ErrPasswordTooShort, ErrInvalidPassword) || !errors.Is(ErrPasswordTooLong, ErrInvalidPassword) {
		t.Error("the errors are not of one kind")
	}
}

// TestCombiningMarks: the hash is that of node 20, whose NFKC is the same for so many and for no more.
func TestCombiningMarks(t *testing.T) {
	const hash = "00112233445566778899aabbccddeeff:66121a27a5905204037416a899496a146f2779a216f4bb1844df2e14273d49f1" +
		"290916f10e719da9dfad91eba7ee47006c14c7fe3fdff4a611dfefcb2334f5bf"
	if ok, err := VerifyPassword(t.Context(), new(authdb.Secret(hash)), "password a"+strings.Repeat("\u0301", 30)); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func malformedHashes() []string {
	salt, key, _ := strings.Cut(known, ":")
	return []string{
		"", ":", salt, salt + ":", ":" + key, key, known + "0", known[1:], known[:len(known)-1], known + ":" + key,
		strings.ToUpper(known), salt + ":" + strings.ToUpper(key), strings.Replace(known, ":", ".", 1), " " + known, known + "\n",
		salt[:31] + "g:" + key, salt + ":" + key[:127] + "g", salt + ":" + key[:64] + "x" + key[65:], salt[:31] + ":0" + key, salt + "0:" + key[1:],
		"$2b$12$abcdefghijklmnopqrstuuYv8mRrlGPdz2Jkzz3vEwqkM8LOiZC1e", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
		strings.Repeat("\x00", len(known)), strings.Repeat("ß", 80) + ":",
	}
}

func TestMalformedHashes(t *testing.T) {
	h, _ := counting(t)
	for _, hash := range malformedHashes() {
		if ok, err := h.Verify(t.Context(), new(authdb.Secret(hash)), knownPassword); ok || err != nil {
			t.Errorf("%q: got %v, %v", hash, ok, err)
		}
		if err := CheckHash(authdb.Secret(hash)); !errors.Is(err, ErrMalformedHash) {
			t.Errorf("%q: %v", hash, err)
		}
	}
	if err := CheckHash(known); err != nil {
		t.Error(err)
	}
	changed := known[:len(known)-1] + "7"
	if ok, err := VerifyPassword(t.Context(), new(authdb.Secret(changed)), knownPassword); ok || err != nil {
		t.Errorf("one digit changed: got %v, %v", ok, err)
	}
}

// counting is a Hasher whose keys cost nothing, and what it derived them from.
func counting(t *testing.T) (h *Hasher, derived *[][2]string) {
	t.Helper()
	derived = new([][2]string)
	return &Hasher{derive: func(password, salt []byte) ([]byte, error) {
		*derived = append(*derived, [2]string{string(password), string(salt)})
		if string(password) == knownPassword && strings.HasPrefix(known, string(salt)) {
			_, key, err := parseHash(known)
			return key, err
		}
		return make([]byte, keyLength), nil
	}}, derived
}

// Who asks to sign in must not learn by the time or the error whether there is an account: whatever the password is, a
// verify derives one key, from something short, and answers the same for a hash, for none and for a malformed one.
func TestVerifyCostsOneDerivation(t *testing.T) {
	hashes := append(malformedHashes(), known)
	for password, want := range map[string]error{
		knownPassword: nil, "wrong password": nil, "": nil, "a": nil, "seven77": nil, "\x00": nil, "\ufdfa": nil,
		strings.Repeat("a", 128): nil, strings.Repeat("あ", 128): nil, strings.Repeat("\ufdfa", 128): nil,
		strings.Repeat("a", 129): ErrPasswordTooLong, strings.Repeat("😀", 65): ErrPasswordTooLong,
		strings.Repeat("a", 1<<20): ErrPasswordTooLong, strings.Repeat("\xff", 1<<20): ErrPasswordTooLong,
		"\xff": ErrInvalidPassword, "a\xed\xa0\x80": ErrInvalidPassword,
	} {
		texts := map[string]bool{}
		for _, hash := range hashes {
			h, derived := counting(t)
			ok, err := h.Verify(t.Context(), new(authdb.Secret(hash)), password)
			if ok != (hash == known && password == knownPassword) || !errors.Is(err, want) {
				t.Errorf("%.20q of %.20q: got %v, %v", password, hash, ok, err)
			}
			texts[fmt.Sprint(err)] = true
			if len(*derived) != 1 {
				t.Errorf("%.20q of %.20q: %d derivations", password, hash, len(*derived))
				continue
			}
			if d := (*derived)[0]; len(d[1]) != saltLength || len(d[0]) > 128*33 { // U+FDFA is 33 bytes in NFKC
				t.Errorf("%.20q of %.20q: derived from %d bytes and a salt of %d", password, hash, len(d[0]), len(d[1]))
			}
		}
		if len(texts) != 1 {
			t.Errorf("%.20q: the errors tell the hashes apart: %v", password, texts)
		}
	}
	// Where nothing is derived, that tells nothing of the hash either.
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, hash := range []string{known, "", "malformed"} {
		h, derived := counting(t)
		if _, err := h.Verify(canceled, new(authdb.Secret(hash)), "a"); !errors.Is(err, context.Canceled) || len(*derived) != 0 {
			t.Errorf("canceled, of %.20q: %v after %d derivations", hash, err, len(*derived))
		}
	}
}

// The same of what is really derived, by the memory it takes, which is that of one key.
func TestVerifyTakesTheMemoryOfOneKey(t *testing.T) {
	var h Hasher
	for _, test := range [][2]string{
		{known, "wrong password"}, {"", "a"}, {"", ""}, {"", "\xff"}, {"", strings.Repeat("a", 1<<20)}, {"$2b$12$x", "a"}, {known, ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ok, _ := h.Verify(t.Context(), new(authdb.Secret(test[0])), test[1])
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; ok || took < 32 || took > 40 {
			t.Errorf("%.20q of %.20q: %v, %d MiB", test[1], test[0], ok, took)
		}
	}
}

func FuzzVerifyPassword(f *testing.F) {
	f.Add(known, "wrong password")
	for _, hash := range malformedHashes() {
		f.Add(hash, knownPassword)
	}
	f.Add(known, "\xff")
	f.Add(known, strings.Repeat("a", 129))
	f.Fuzz(func(t *testing.T, hash, password string) {
		_, key, err := parseHash(hash)
		if well := hashForm.MatchString(hash) && len(hash) == len(known); well != (err == nil) || well != (len(key) == keyLength) {
			t.Fatalf("%q: %v", hash, err)
		}
		h, _ := counting(t) // so that millions of inputs can be tried
		ok, verr := h.Verify(t.Context(), new(authdb.Secret(hash)), password)
		switch {
		case ok && (hash != known || password != knownPassword):
			t.Errorf("%q is the password of %q", password, hash)
		case verr != nil && !errors.Is(verr, ErrInvalidPassword), err != nil && !errors.Is(CheckHash(authdb.Secret(hash)), ErrMalformedHash):
			t.Errorf("%q, %q: %v", hash, password, verr)
		}
	})
}

func TestHasherHonorsContext(t *testing.T) {
	h := Hasher{Concurrency: 1}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(canceled, knownPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before: %v", err)
	}
	if len(h.slots) != 0 || cap(h.slots) != 1 {
		t.Errorf("%d of %d slots taken", len(h.slots), cap(h.slots))
	}
	h.slots <- struct{}{} // somebody hashes
	waiting, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if ok, err := h.Verify(waiting, new(authdb.Secret(known)), knownPassword); ok || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another hashes: got %v, %v", ok, err)
	}
	<-h.slots
	if ok, err := h.Verify(t.Context(), new(authdb.Secret(known)), knownPassword); !ok || err != nil {
		t.Errorf("afterwards: got %v, %v", ok, err)
	}
	if len(h.slots) != 0 {
		t.Error("a slot is kept")
	}
}

func TestHasherDefaults(t *testing.T) {
	for concurrency, want := range map[int]int{0: min(runtime.GOMAXPROCS(0), 4), -1: min(runtime.GOMAXPROCS(0), 4), 7: 7} {
		h := Hasher{Concurrency: concurrency}
		if _, err := h.Verify(t.Context(), new(authdb.Secret(known)), knownPassword); err != nil || cap(h.slots) != want {
			t.Errorf("%d: %d at a time, %v", concurrency, cap(h.slots), err)
		}
	}
}

// blocking is a Hasher whose keys take as long as the test likes.
func blocking(h *Hasher) (started chan string, let chan struct{}) {
	started, let = make(chan string), make(chan struct{})
	h.derive = func(password, _ []byte) ([]byte, error) {
		started <- string(password)
		<-let
		return make([]byte, keyLength), nil
	}
	return started, let
}

// Of any number that ask at once, MaxWaiting wait; the others are turned away at once.
func TestHasherTurnsAway(t *testing.T) {
	for maxWaiting, waiting := range map[int]int{0: 32, 3: 3, -1: 0} {
		h := &Hasher{Concurrency: 2, MaxWaiting: maxWaiting}
		started, let := blocking(h)
		var all sync.WaitGroup
		ask := func(ctx context.Context, i int, want error) {
			if ok, err := h.Verify(ctx, new(authdb.Secret(known)), fmt.Sprint(i)); ok || !errors.Is(err, want) {
				t.Errorf("%d of %d: got %v, %v, want %v", i, waiting, ok, err, want)
			}
		}
		for i := range 2 {
			all.Go(func() { ask(t.Context(), i, nil) })
			<-started
		}
		for i := range waiting {
			all.Go(func() { ask(t.Context(), i+2, nil) })
			for len(h.tickets) != i+3 { // until it has its place
				runtime.Gosched()
			}
		}
		for range 100 {
			ask(t.Context(), -1, ErrBusy)
			if _, err := h.Hash(t.Context(), knownPassword); !errors.Is(err, ErrBusy) {
				t.Errorf("hash: %v", err)
			}
		}
		for range waiting {
			let <- struct{}{}
			<-started
		}
		let <- struct{}{}
		let <- struct{}{}
		all.Wait()
		if len(h.slots) != 0 || len(h.tickets) != 0 {
			t.Errorf("%d slots and %d tickets are kept", len(h.slots), len(h.tickets))
		}
	}
}

// Who gives up leaves the queue to others.
func TestHasherQueueIsLeft(t *testing.T) {
	h := &Hasher{Concurrency: 1, MaxWaiting: 1}
	started, let := blocking(h)
	done := make(chan error)
	go func() {
		_, err := h.Verify(t.Context(), new(authdb.Secret(known)), "first")
		done <- err
	}()
	<-started
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := h.Verify(ctx, new(authdb.Secret(known)), "gives up")
			done <- err
		}()
		for len(h.tickets) != 2 {
			runtime.Gosched()
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if len(h.slots) != 1 || len(h.tickets) != 1 {
		t.Errorf("%d slots and %d tickets are kept", len(h.slots), len(h.tickets))
	}
	let <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Many at once take the memory of a few.
func TestHasherBoundsMemory(t *testing.T) {
	const callers, atATime = 12, 2
	h := Hasher{Concurrency: atATime}
	if _, err := h.Verify(t.Context(), new(authdb.Secret(known)), knownPassword); err != nil { // makes the slots
		t.Fatal(err)
	}
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	before := inUse()
	var peak, busiest atomic.Uint64
	done := make(chan struct{})
	var sampler, all sync.WaitGroup
	sampler.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
				peak.Store(max(peak.Load(), inUse()))
				busiest.Store(max(busiest.Load(), uint64(len(h.slots))))
			}
		}
	})
	for i := range callers {
		all.Go(func() {
			if ok, err := h.Verify(t.Context(), new(authdb.Secret(known)), fmt.Sprint("not the password ", i)); ok || err != nil {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
	all.Wait()
	close(done)
	sampler.Wait()
	grown := int64(peak.Load()-before) >> 20
	t.Logf("%d callers, %d at a time: at most %d MiB more in use than before", callers, atATime, grown)
	if busiest.Load() != atATime || grown > 32*(callers-3) { // what is garbage already counts until it is collected
		t.Errorf("%d at a time, %d MiB", busiest.Load(), grown)
	}
}
