package main

// preface is the beginning of benchmarks.md: the number of rounds, and the machine.
const preface = `# Benchmarks

authdb beside what else one could write, on the same rows and with the same results. Written by ` + "`make bench`" + ` (about 25
minutes), which anyone can repeat; ` + "`make bench/quick`" + ` prints the ratios after two.

It starts a PostgreSQL that keeps its promises (every commit is on the disk), loads 200,000 users, 400,000 sessions, 20,000
organizations and what belongs to them, and lets each contender do each job. Before anything is timed, all that a
contender returns is held against what the floor returns, and all that it writes against what the floor leaves in the
database; a difference ends the run.

- **The floor** is pgx by hand: the very statements that authdb sends, on a connection that is held, with arguments that
  are ready, read into plain structs. A ratio of 1 costs nothing over that; below 1, authdb reads faster than pgx does.
- Contenders take turns, %d rounds, each time in another order, each on connections of its own that are warm. A time is
  the lower quartile of a turn, what it takes when the machine is quiet; a ratio is that over the floor's of the same
  round; what is shown is the median over the rounds, [the interval that holds it in 95 of 100 cases], and (the place).
  Who is not behind beyond doubt, round by round and by more than a tenth, shares the place.
- Round trips are counted by a proxy on the wire, which also makes the millisecond of "+1 ms". Allocations are those of
  one call. The processors' time is that of the client's process and of the server's, by call, on the first network.
- Who does more than one statement needs a transaction to be right, as authdb is, and each of these has one. The least
  one can send, without locks and rules, is "pgx, bare".

Machine and versions: %s.

The contenders, each as its users would write it well (the code is in bench/):

`
