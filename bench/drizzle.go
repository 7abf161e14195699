package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// node is a contender in a process of Node's; see drizzle/bench.mjs.
type node struct {
	cmd        *exec.Cmd
	in         io.WriteCloser
	out        *bufio.Reader
	operations []string
}

type answer struct {
	Operations []string        `json:"operations"`
	Version    string          `json:"version"`
	Times      []time.Duration `json:"times"`
	CPU        time.Duration   `json:"cpu"`
	Rows       any             `json:"rows"`
	Error      string          `json:"error"`
}

const drizzleDir = "drizzle"

// errNoNode says that there is none here.
var errNoNode = errors.New("no Node with npm")

// installDrizzle puts the packages and the schema in place, if there is a Node.
func installDrizzle(ctx context.Context) error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return errNoNode
		}
	}
	modules := filepath.Join(drizzleDir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "drizzle-orm")); err != nil {
		out, err := exec.CommandContext(ctx, "npm", "ci", "--prefix", drizzleDir, "--ignore-scripts", "--no-audit",
			"--no-fund", "--loglevel=error").CombinedOutput()
		if err != nil {
			return fmt.Errorf("npm ci: %w: %s", err, out)
		}
	}
	schema, err := os.ReadFile("../db/migrations/drizzle.ts") // which has nothing of TypeScript but its name
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(modules, "schema.mjs"), schema, 0o644)
}

func openDrizzle(form string) func(context.Context, *bench, address) (contender, error) {
	return func(_ context.Context, b *bench, at address) (contender, error) {
		text, err := json.Marshal(at)
		if err != nil {
			return nil, err
		}
		n := &node{cmd: exec.Command("node", "bench.mjs", string(text), form)}
		n.cmd.Dir, n.cmd.Stderr = drizzleDir, os.Stderr
		n.cmd.Env = append(os.Environ(), "TZ=UTC")
		if n.in, err = n.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		out, err := n.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		n.out = bufio.NewReaderSize(out, 1<<20)
		if err := n.cmd.Start(); err != nil {
			return nil, err
		}
		hello, err := n.read()
		n.operations, b.drizzle = hello.Operations, hello.Version
		return n, err
	}
}

func (n *node) does(w *workload) bool { return slices.Contains(n.operations, w.op) }

func (n *node) close() {
	n.in.Close()
	_ = n.cmd.Wait() // it ends with its input
}

type request struct {
	Op     string   `json:"op"`
	Inputs []*input `json:"inputs"`
	Limit  int64    `json:"limit"` // ms
	Least  int      `json:"least"`
	Look   bool     `json:"look"`
}

func (n *node) ask(r request) (a answer, err error) {
	if err := json.NewEncoder(n.in).Encode(r); err != nil {
		return a, err
	}
	return n.read()
}

func (n *node) read() (a answer, err error) {
	line, err := n.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	return a, err
}

func (n *node) phase(
	_ context.Context, w *workload, ins []*input, limit time.Duration,
) ([]time.Duration, time.Duration, error) {
	a, err := n.ask(request{Op: w.op, Inputs: ins, Limit: limit.Milliseconds(), Least: w.least()})
	return a.Times, a.CPU, err
}

func (n *node) result(_ context.Context, w *workload, in *input) (any, error) {
	a, err := n.ask(request{Op: w.op, Inputs: []*input{in}, Look: true})
	return a.Rows, err
}
