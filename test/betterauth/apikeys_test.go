//go:build betterauth

package betterauth_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/permission"
)

// keyed is a world in which both sides have API keys.
type keyed struct {
	*world
	keys *apikey.Keys
	user string
	http *browser
}

// TestAPIKeys: in each version of the plugin, both sides take each other's keys, answer alike, and charge alike.
func TestAPIKeys(t *testing.T) {
	for _, v := range versions {
		t.Run(v.exact, func(t *testing.T) {
			t.Parallel()
			schema := authdbtest.WithSchema(plugins.Tables)
			if v.exact < "1.5" {
				schema = authdbtest.WithSchema(plugins.APIKeys14)
			}
			w := newWorldOn(t, schema.DSN(t), "schema.mjs", v.exact)
			w.group(func() {
				keys := one[*apikey.Keys](w.check)(apikey.New(w.ctx, w.Store, apikey.Options{}))
				user := one[authdb.User](w.check)(w.Users.Create(w.ctx, authdb.CreateUserParams{Name: "Ada", Email: "ada@example.com"}))
				k := &keyed{w, keys, user.ID, w.browser()}
				for _, run := range []func(){k.across, k.alike, k.requests, k.atOnce, k.cost} {
					w.group(run)
				}
			})
			for _, wrong := range w.wrong {
				t.Error(wrong)
			}
			if w.n < 1000 {
				t.Errorf("only %d checks", w.n)
			}
			summary.Lock()
			defer summary.Unlock()
			summary.keys = append(summary.keys, fmt.Sprintf("API keys of %s: %d checks, %d failed%s", v.exact, w.n, len(w.wrong),
				strings.Join(append([]string{""}, w.notes...), "\n    ")))
			slices.Sort(summary.keys)
		})
	}
}

// server calls a method of the plugin in its own process.
func (k *keyed) server(method string, body object) answer {
	return k.http.post("/test/api-key", object{"method": method, "body": body})
}

// code is the server's answer to a key; empty where it takes it.
func (k *keyed) code(key authdb.Secret, wanted permission.Set) (string, answer) {
	body := object{"key": string(key)}
	if wanted != nil {
		body["permissions"] = wanted
	}
	a := k.server("verifyApiKey", body)
	k.must(k.ok(a.err == nil && a.status == http.StatusOK, "verify: %v", a))
	if a.at("valid") == true {
		return "", a
	}
	return cmp.Or(a.text("error", "code"), "none"), a
}

func (k *keyed) create(edit func(*apikey.CreateParams)) apikey.Created {
	p := apikey.CreateParams{OwnerID: k.user}
	if edit != nil {
		edit(&p)
	}
	return one[apikey.Created](k.check)(k.keys.Create(k.ctx, p))
}

// across: what one side makes, the other reads and takes.
func (k *keyed) across() {
	made := k.create(func(p *apikey.CreateParams) {
		p.Name, p.Prefix, p.Remaining = "laptop", "ex_", new(7)
		p.Refill = &apikey.Refill{Amount: 7, Interval: time.Hour}
		p.Permissions, p.Metadata = permission.Set{"files": {"read"}}, new(`{"plan":"pro"}`)
		p.ExpiresAt = new(time.Now().AddDate(0, 1, 0))
	})
	code, a := k.code(made.Secret, permission.Set{"files": {"read"}})
	k.equal("Go's key on the server", code, "")
	k.equal("its metadata there", a.at("key", "metadata"), any(object{"plan": "pro"}))
	k.equal("its permissions there", a.at("key", "permissions"), any(object{"files": []any{"read"}}))
	here := one[apikey.Key](k.check)(k.keys.Get(k.ctx, k.user, made.ID))
	var shown object
	k.is("JSON", json.Unmarshal(one[[]byte](k.check)(json.Marshal(here)), &shown), nil)
	there, _ := a.at("key").(object)
	for _, field := range []string{
		"id", "name", "start", "prefix", "refillInterval", "refillAmount", "enabled", "rateLimitEnabled", "rateLimitTimeWindow", "rateLimitMax",
		"requestCount", "remaining",
	} {
		k.equal("JSON of "+field, shown[field], there[field])
	}
	owner := "userId"
	if k.version[1] >= 5 {
		owner = "referenceId"
	}
	k.equal("its owner there", there[owner], any(k.user))

	a = k.server("createApiKey", object{
		"userId": k.user, "name": "phone", "prefix": "ph-", "expiresIn": 86400 * 2, "remaining": 3, "metadata": object{"a": 1},
		"permissions": object{"files": []string{"write"}}, "rateLimitMax": 5, "rateLimitTimeWindow": 60000,
	})
	k.done("createApiKey", a)
	key, err := k.keys.Verify(k.ctx, authdb.Secret(a.text("key")), permission.Set{"files": {"write"}})
	k.is("the server's key here", err, nil)
	k.ok(key.ID == a.text("id") && key.ReferenceID == k.user && *key.Remaining == 2 && *key.RateLimitMax == 5 && *key.Name == "phone" &&
		key.Permits(permission.Set{"files": {"write"}}) && strings.Contains(*key.Metadata, "a"), "the server's key here: %+v", key)
	page := one[authdb.Page[apikey.Key]](k.check)(k.keys.List(k.ctx, apikey.ListParams{OwnerID: k.user}))
	k.equal("keys", len(page.Items), 2)

	k.done("updateApiKey", k.server("updateApiKey", object{"keyId": made.ID, "userId": k.user, "enabled": false}))
	_, err = k.keys.Verify(k.ctx, made.Secret, nil)
	k.is("disabled on the server", err, apikey.ErrDisabled)
	_, err = k.keys.Update(k.ctx, k.user, made.ID, apikey.UpdateParams{Enabled: authdb.Set(true)})
	k.is("enable here", err, nil)
	code, _ = k.code(made.Secret, nil)
	k.equal("enabled here", code, "")
	k.is("revoke here", k.keys.Revoke(k.ctx, k.user, made.ID), nil)
	code, _ = k.code(made.Secret, nil)
	k.equal("revoked here", code, "INVALID_API_KEY")
}

// situation is what a key is like when it is verified.
type situation struct {
	name   string
	set    string
	wanted permission.Set
	// What of it the two sides answer otherwise, on purpose.
	negative, micros, emptyList bool
}

func (k *keyed) situations() (all []situation) {
	var vectors struct {
		Verify []struct {
			Name    string
			Answers []struct {
				Set    string
				Wanted permission.Set `json:"permissions_asked"`
			}
		}
	}
	k.must(k.is("vectors", json.Unmarshal(one[[]byte](k.check)(os.ReadFile("../../apikey/testdata/api-keys.json")), &vectors), nil))
	for _, v := range vectors.Verify {
		if v.Name == "metadata text twice encoded" { // which servers from 1.4 on rewrite
			continue
		}
		for _, a := range v.Answers[:1] {
			all = append(all, situation{
				name: v.Name, set: cmp.Or(a.Set, "enabled = true"), wanted: a.Wanted, negative: strings.Contains(v.Name, "-1"),
				micros: strings.Contains(v.Name, "microseconds"), emptyList: v.Name == "permissions: empty list asked",
			})
		}
	}
	seed := rand.Uint64()
	k.note("seed of the random keys: %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	const now = `date_trunc('milliseconds', timezone('UTC', now()))`
	for i := range 300 {
		s := situation{name: fmt.Sprint("random ", i)}
		remaining := pick("NULL", "NULL", "0", "1", "2", "100", "-1")
		refilledAt := pick("NULL", now, now+` - interval '1 hour'`, now+` - interval '10 s'`, now+` - interval '1 hour 7 us'`)
		lastRequest := pick("NULL", now+` - interval '1 s'`, now+` - interval '50 s'`, now+` - interval '70 s'`, now+` - interval '2 days'`, now+` + interval '1 hour'`)
		count := pick("0", "1", "2", "3", "100")
		if lastRequest == "NULL" {
			count = pick(count, "NULL")
		}
		s.set = strings.Join([]string{
			"enabled = " + pick("true", "true", "true", "true", "true", "true", "NULL", "false"),
			"expires_at = " + pick("NULL", "NULL", "NULL", "NULL", now+` + interval '1 hour'`, now+` + interval '400 days'`, now+` - interval '1 s'`),
			"remaining = " + remaining,
			"refill_interval = " + pick("NULL", "1000", "60000", "86400000", "0"),
			"refill_amount = " + pick("NULL", "5", "1", "0"),
			"last_refill_at = " + refilledAt,
			"created_at = " + pick(now, now+` - interval '2 days'`),
			"rate_limit_enabled = " + pick("true", "true", "true", "NULL", "false"),
			"rate_limit_time_window = " + pick("60000", "60000", "60000", "86400000", "NULL", "1"),
			"rate_limit_max = " + pick("2", "2", "3", "100", "0", "NULL"),
			"request_count = " + count, "last_request = " + lastRequest,
			"permissions = " + pick("NULL", "''", "'{}'", `'{"files":["read"]}'`, `'{"files":["read","write"],"a":["b"]}'`, "'nonsense'", "'null'", "'[]'"),
		}, ", ")
		switch r.IntN(8) {
		case 0:
			s.wanted = permission.Set{"files": {"read"}}
		case 1:
			s.wanted = permission.Set{"files": {"read", "write"}, "a": {"b"}}
		case 2:
			s.wanted = permission.Set{}
		case 3:
			s.wanted, s.emptyList = permission.Set{"files": {}}, true
		}
		s.negative, s.micros = remaining == "-1", strings.HasSuffix(refilledAt, "us'")
		all = append(all, s)
	}
	return all
}

func (k *keyed) row(id string) (row map[string]any) {
	err := k.Pool().QueryRow(k.ctx, `SELECT to_jsonb(k) FROM apikey k WHERE id = $1`, id).Scan(&row)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	k.must(k.is("row", err, nil))
	return row
}

// changed is what differs between two rows, where a time between two others is "now".
func changed(before, after map[string]any, from, to time.Time) map[string]any {
	if after == nil {
		return map[string]any{"row": "deleted"}
	}
	diff := map[string]any{}
	for column, value := range after {
		if gocmp.Equal(value, before[column]) {
			continue
		}
		if text, ok := value.(string); ok {
			at, err := time.Parse("2006-01-02T15:04:05.999999", text)
			if err == nil && !at.Before(from.UTC().Truncate(time.Millisecond)) && !at.After(to.UTC()) {
				value = "now"
			}
		}
		diff[column] = value
	}
	return diff
}

// alike: both sides give the same answer to the same row, and leave it alike.
func (k *keyed) alike() {
	agreed, otherwise := 0, map[string]int{}
	for _, s := range k.situations() {
		why, wrong := "", ""
		for range 3 { // the server deletes what has expired whenever it likes
			if why, wrong = k.compare(s); wrong == "" {
				break
			}
		}
		k.ok(wrong == "", "%s: %s: %s", s.name, s.set, wrong)
		if why == "" {
			agreed++
		} else {
			otherwise[why]++
		}
	}
	k.note("%d keys answered and left alike, others on purpose: %v", agreed, otherwise)
	k.ok(agreed > 200, "only %d agreed", agreed)
}

// compare asks both sides about a key, and returns why they may differ, and how they wrongly do.
func (k *keyed) compare(s situation) (why, wrong string) {
	made := k.create(nil)
	k.exec(`UPDATE apikey SET updated_at = updated_at - interval '1 day', ` + s.set + ` WHERE id = '` + made.ID + `'`)
	before := k.row(made.ID)
	minor := k.version[1]

	from := time.Now()
	_, err := k.keys.Verify(k.ctx, made.Secret, s.wanted)
	here, mine := apikey.Code(err), changed(before, k.row(made.ID), from, time.Now())
	k.must(err == nil || here != "" || k.is("verify", err, nil))

	k.exec(`DELETE FROM apikey WHERE id = $1`, made.ID)
	k.exec(`INSERT INTO apikey SELECT * FROM jsonb_populate_record(NULL::apikey, $1)`, before)
	from = time.Now()
	there, _ := k.code(made.Secret, s.wanted)
	after := k.row(made.ID)
	for begin := time.Now(); mine["row"] != nil && after != nil && time.Since(begin) < 3*time.Second; { // not awaited by all
		after = k.row(made.ID)
	}
	theirs := changed(before, after, from, time.Now())
	k.exec(`DELETE FROM apikey WHERE id = $1`, made.ID)

	if minor < 4 {
		delete(mine, "updated_at") // which 1.3 leaves as it is
	}
	refills := before["remaining"] != nil && (mine["last_refill_at"] == "now" || theirs["last_refill_at"] == "now")
	if there == "RATE_LIMITED" && here == there && (minor == 3 || minor >= 6) && before["remaining"] != nil {
		why = "a limited call spends nothing"
		delete(theirs, "remaining")
		delete(theirs, "last_refill_at")
	}
	if _, cut := theirs["last_refill_at"]; s.micros && minor < 6 && cut && mine["last_refill_at"] == nil {
		why = "times keep their microseconds"
		delete(theirs, "last_refill_at")
	}
	if here == there && gocmp.Equal(mine, theirs) {
		return why, ""
	}
	switch {
	case s.micros && minor >= 6 && before["remaining"] != nil && (refills || here == "" || there == "" ||
		there == "USAGE_EXCEEDED" && here == "RATE_LIMITED"): // which Go asks once there are uses again
		return "a refill whose last time has microseconds happens", ""
	case s.negative && minor < 6 && here == "USAGE_EXCEEDED":
		return "an overdrawn key is used up", ""
	case s.emptyList && minor < 6 && here == "KEY_NOT_FOUND":
		return "an empty list permits nothing", ""
	}
	return "", fmt.Sprintf("Go says %q, %v; the server %q, %v; wanted %v of %v", here, mine, there, theirs, s.wanted, before)
}

// requests: over HTTP a key is taken for a session where the middleware takes it, with the same codes.
func (k *keyed) requests() {
	auth := &apikey.Authenticator{Keys: k.keys}
	handler := auth.Require(nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := apikey.FromContext(r.Context())
		_ = json.NewEncoder(w).Encode(object{"user": object{"id": key.ReferenceID}})
	}))
	for _, c := range []struct {
		set    string
		status int
		same   bool
	}{
		{"enabled = true", 200, true},
		{"enabled = false", 401, true},
		{"expires_at = '2020-01-01'", 401, true},
		{"remaining = 0", 429, true},
		{"request_count = 10, last_request = timezone('UTC', now())", 429, k.version[1] >= 6}, // before, 401
	} {
		var status [2]int
		var bodies [2]any
		for side := range 2 {
			made := k.create(nil)
			k.exec(`UPDATE apikey SET ` + c.set + ` WHERE id = '` + made.ID + `'`)
			r := httptest.NewRequestWithContext(k.ctx, http.MethodGet, k.base+"/api/keyed/get-session", nil)
			r.Header.Set("X-Api-Key", string(made.Secret))
			if side == 0 {
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, r)
				status[0] = recorder.Code
				k.is("body", json.Unmarshal(recorder.Body.Bytes(), &bodies[0]), nil)
				continue
			}
			r.RequestURI = ""
			response, err := http.DefaultClient.Do(r)
			k.must(k.is("get-session", err, nil))
			status[1] = response.StatusCode
			k.is("body", json.NewDecoder(response.Body).Decode(&bodies[1]), nil)
			_ = response.Body.Close()
		}
		k.equal("status here of "+c.set, status[0], c.status)
		k.ok((status[0] == status[1]) == c.same, "%s: %v", c.set, status)
		for _, path := range [][]any{{"code"}, {"message"}, {"user", "id"}} {
			k.equal(fmt.Sprint(path, " of ", c.set), at(bodies[0], path...), at(bodies[1], path...))
		}
	}
}

// atOnce: however many verify a key at once, half here and half there, no more pass than it allows, but for what servers
// allow too much by themselves: those up to 1.6, which waits for the row and then takes what it read before.
func (k *keyed) atOnce() {
	most := map[string]int{}
	looker := one[*pgx.Conn](k.check)(pgx.ConnectConfig(k.ctx, k.Pool().Config().ConnConfig)) // the others may all wait
	defer func() { _ = looker.Close(context.Background()) }()
	round := func(set string, callers int, held bool, isHere func(i int) bool) (passed int, enabled bool) {
		made := k.create(nil)
		k.exec(`UPDATE apikey SET ` + set + ` WHERE id = '` + made.ID + `'`)
		hold := one[pgx.Tx](k.check)(k.Pool().Begin(k.ctx))
		defer func() { _ = hold.Rollback(context.Background()) }()
		if held {
			_, err := hold.Exec(k.ctx, `SELECT FROM apikey WHERE id = $1 FOR UPDATE`, made.ID)
			k.must(k.is("hold", err, nil))
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				code := ""
				if isHere(i) {
					_, err := k.keys.Verify(k.ctx, made.Secret, nil)
					code = apikey.Code(err)
					k.ok(err == nil || code != "", "verify: %v", err)
				} else {
					code, _ = k.code(made.Secret, nil)
				}
				mu.Lock()
				defer mu.Unlock()
				if code == "" {
					passed++
				}
			})
		}
		if held { // until some wait here and there: the server has 20 connections, this side 16
			for waiting := 0; waiting < min(callers, 8); {
				k.must(k.is("look", looker.QueryRow(k.ctx, `SELECT count(*) FROM pg_stat_activity
					WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting), nil))
				time.Sleep(time.Millisecond)
			}
			if strings.Contains(set, "enabled") {
				_, err := hold.Exec(k.ctx, `UPDATE apikey SET enabled = false WHERE id = $1`, made.ID)
				k.must(k.is("disable", err, nil))
			}
		}
		k.must(k.is("commit", hold.Commit(k.ctx), nil))
		wg.Wait()
		row := k.row(made.ID)
		return passed, row != nil && row["enabled"] == true
	}
	for _, c := range []struct {
		name, set string
		allowed   int
	}{
		{"remaining 1", "remaining = 1, rate_limit_max = NULL", 1},
		{"a limit of 2", "rate_limit_max = 2", 2},
		{"a refill of 3", "remaining = 0, refill_amount = 3, refill_interval = 3600000, created_at = created_at - interval '1 day', rate_limit_max = NULL", 3},
	} {
		for _, callers := range []int{8, 64} {
			for _, held := range []bool{false, true} {
				for side, isHere := range map[string]func(int) bool{
					"here": func(int) bool { return true }, "there": func(int) bool { return false }, "mixed": func(i int) bool { return i%2 == 0 },
				} {
					passed, _ := round(c.set, callers, held, isHere)
					strict := side == "here" || k.version[1] >= 7
					k.ok(!strict || passed <= c.allowed, "%s, %d at once %s, held %v: %d passed", c.name, callers, side, held, passed)
					k.ok(side != "here" || passed == c.allowed, "%s, %d at once here, held %v: %d passed", c.name, callers, held, passed)
					name := fmt.Sprint(side, ", held ", held)
					most[name] = max(most[name], passed-c.allowed)
				}
			}
		}
	}
	lines := []string{}
	for _, name := range slices.Sorted(maps.Keys(most)) {
		lines = append(lines, fmt.Sprintf("%s %d", name, most[name]))
	}
	k.note("most that passed beyond what a key allows: %s", strings.Join(lines, "; "))
	k.ok(k.version[1] >= 7 || most["there, held true"] > 0, "control: the server alone overspends nothing: %v", most)

	_, enabled := round("enabled = true, rate_limit_max = NULL", 8, true, func(int) bool { return true })
	k.ok(!enabled, "a key that was disabled meanwhile is enabled")
}

// cost is told, not judged: how long many calls take, and the statements of the server's.
func (k *keyed) cost() {
	const calls, callers = 200, 8
	run := func(verify func() error) string {
		begin := time.Now()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range calls / callers {
					k.is("verify", verify(), nil)
				}
			})
		}
		wg.Wait()
		return fmt.Sprintf("%.0f/s", calls/time.Since(begin).Seconds())
	}
	statements := func() float64 {
		n, _ := k.done("statements", k.http.post("/test/statements", object{})).body.(float64)
		return n
	}
	made := k.create(func(p *apikey.CreateParams) {
		p.Remaining, p.RateLimit = new(1_000_000), &apikey.RateLimit{Max: 1_000_000, Window: time.Hour}
	})
	here := run(func() error { _, err := k.keys.Verify(k.ctx, made.Secret, nil); return err })
	before := statements()
	there := run(func() error {
		if code, _ := k.code(made.Secret, nil); code != "" {
			return errors.New(code)
		}
		return nil
	})
	k.note("verifies of one key by %d callers: here %s, of 1 statement; the server, over HTTP, %s, of %.1f statements", callers, here, there,
		(statements()-before)/calls)
}
