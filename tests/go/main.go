// Sumdb_check reads a Tracebond log with Go's own code for transparency logs.
//
//	sumdb_check LOG POLICY [PROOFS]
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// Report is what holds, in numbers.
type Report struct {
	Origin       string `json:"origin"`
	Size         int64  `json:"size"`
	Root         string `json:"root"`
	Cosignatures int    `json:"cosignatures"`
	Records      int    `json:"records"`
	Pairs        int    `json:"pairs"`
	// Proofs of the log's own making that are Go's, hash by hash.
	Ours int `json:"ours"`
	// Altered proofs, leaves, indices, sizes and roots that were refused.
	Altered int `json:"altered"`
}

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: sumdb_check LOG POLICY [PROOFS]")
		os.Exit(2)
	}
	report, err := check(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "sumdb_check:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, "sumdb_check:", err)
		os.Exit(1)
	}
}

func check(args []string) (*Report, error) {
	policy, err := readPolicy(args[1])
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	source := newSource(args[0])
	tree, cosignatures, err := openCheckpoint(source, policy)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	report := &Report{
		Origin:       policy.origin,
		Size:         tree.N,
		Root:         tree.Hash.String(),
		Cosignatures: cosignatures,
	}
	log, err := readLog(source, tree)
	if err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	if err := checkRecords(log, report); err != nil {
		return nil, fmt.Errorf("inclusion: %w", err)
	}
	if err := checkPairs(log, report); err != nil {
		return nil, fmt.Errorf("consistency: %w", err)
	}
	if len(args) == 3 {
		if err := checkOurs(log, args[2], report); err != nil {
			return nil, fmt.Errorf("proofs: %w", err)
		}
	}
	return report, nil
}

// checkRecords proves every entry and checks it as a client of the log would.
func checkRecords(log *Log, report *Report) error {
	for index := int64(0); index < log.tree.N; index++ {
		leaf := tlog.RecordHash(log.entries[index])
		proof, err := tlog.ProveRecord(log.tree.N, index, log)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, log.tree.N, log.tree.Hash, index, leaf); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		report.Records++
		altered, err := alteredRecord(proof, log.tree, index, leaf)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		report.Altered += altered
	}
	return nil
}

// checkPairs proves for every two sizes that the smaller is a beginning of the larger.
func checkPairs(log *Log, report *Report) error {
	for newer := int64(1); newer <= log.tree.N; newer++ {
		for older := int64(1); older <= newer; older++ {
			proof, err := tlog.ProveTree(newer, older, log)
			if err != nil {
				return err
			}
			trees := pair{newer, log.roots[newer], older, log.roots[older]}
			if err := trees.check(proof); err != nil {
				return fmt.Errorf("%d to %d: %w", older, newer, err)
			}
			report.Pairs++
			// Alterations of every pair would only repeat themselves.
			if newer != log.tree.N && (older*7+newer)%97 != 0 {
				continue
			}
			altered, err := alteredPair(proof, trees)
			if err != nil {
				return fmt.Errorf("%d to %d: %w", older, newer, err)
			}
			report.Altered += altered
		}
	}
	return nil
}
