package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// Ours are roots and proofs that the log's own code has made.
type Ours struct {
	Roots       []Root        `json:"roots"`
	Inclusion   []Inclusion   `json:"inclusion"`
	Consistency []Consistency `json:"consistency"`
}

// Root of the first Size entries.
type Root struct {
	Size int64     `json:"size"`
	Root tlog.Hash `json:"root"`
}

// Inclusion of an entry in the first Size entries.
type Inclusion struct {
	Index int64            `json:"index"`
	Size  int64            `json:"size"`
	Path  tlog.RecordProof `json:"path"`
}

// Consistency of the first Old entries with the first New ones.
type Consistency struct {
	Old  int64          `json:"old"`
	New  int64          `json:"new"`
	Path tlog.TreeProof `json:"path"`
}

// checkOurs holds the log's own proofs against Go's.
func checkOurs(log *Log, path string, report *Report) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var ours Ours
	if err := json.Unmarshal(raw, &ours); err != nil {
		return err
	}
	for _, row := range ours.Roots {
		if !log.has(row.Size) || log.roots[row.Size] != row.Root {
			return fmt.Errorf("the root of %d entries is another", row.Size)
		}
	}
	for _, row := range ours.Inclusion {
		if err := checkInclusion(log, row); err != nil {
			return fmt.Errorf("entry %d of %d: %w", row.Index, row.Size, err)
		}
	}
	for _, row := range ours.Consistency {
		if err := checkConsistency(log, row); err != nil {
			return fmt.Errorf("%d to %d: %w", row.Old, row.New, err)
		}
	}
	report.Ours = len(ours.Roots) + len(ours.Inclusion) + len(ours.Consistency)
	return nil
}

func (log *Log) has(size int64) bool { return 1 <= size && size <= log.tree.N }

func checkInclusion(log *Log, row Inclusion) error {
	if !log.has(row.Size) || row.Index >= row.Size {
		return fmt.Errorf("not in the log")
	}
	leaf := tlog.RecordHash(log.entries[row.Index])
	if err := tlog.CheckRecord(row.Path, row.Size, log.roots[row.Size], row.Index, leaf); err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(row.Size, row.Index, log)
	if err != nil {
		return err
	}
	return same(proof, row.Path)
}

func checkConsistency(log *Log, row Consistency) error {
	if !log.has(row.New) || row.Old < 1 || row.Old > row.New {
		return fmt.Errorf("not in the log")
	}
	trees := pair{row.New, log.roots[row.New], row.Old, log.roots[row.Old]}
	if err := trees.check(row.Path); err != nil {
		return err
	}
	proof, err := tlog.ProveTree(row.New, row.Old, log)
	if err != nil {
		return err
	}
	return same(proof, row.Path)
}

func same(theirs, ours []tlog.Hash) error {
	if len(theirs) != len(ours) {
		return fmt.Errorf("Go has %d hashes, we have %d", len(theirs), len(ours))
	}
	for i := range theirs {
		if theirs[i] != ours[i] {
			return fmt.Errorf("hash %d is another", i)
		}
	}
	return nil
}

// pair is two sizes of a log with their roots.
type pair struct {
	newer     int64
	newerRoot tlog.Hash
	older     int64
	olderRoot tlog.Hash
}

func (trees pair) check(proof tlog.TreeProof) error {
	return tlog.CheckTree(proof, trees.newer, trees.newerRoot, trees.older, trees.olderRoot)
}

// alteredRecord counts the alterations of a proof, all of which must be refused.
func alteredRecord(proof tlog.RecordProof, tree tlog.Tree, index int64, leaf tlog.Hash) (int, error) {
	refused := 0
	try := func(what string, proof tlog.RecordProof, size int64, root tlog.Hash, index int64, leaf tlog.Hash) error {
		if tlog.CheckRecord(proof, size, root, index, leaf) == nil {
			return fmt.Errorf("accepted with %s", what)
		}
		refused++
		return nil
	}
	for _, changed := range changes(proof) {
		if err := try("another proof", changed, tree.N, tree.Hash, index, leaf); err != nil {
			return 0, err
		}
	}
	if err := try("another root", proof, tree.N, flipped(tree.Hash), index, leaf); err != nil {
		return 0, err
	}
	if err := try("another leaf", proof, tree.N, tree.Hash, index, flipped(leaf)); err != nil {
		return 0, err
	}
	if tree.N > 1 {
		if err := try("another index", proof, tree.N, tree.Hash, (index+1)%tree.N, leaf); err != nil {
			return 0, err
		}
	}
	return refused, nil
}

// alteredPair does the same with a proof of consistency.
func alteredPair(proof tlog.TreeProof, trees pair) (int, error) {
	refused := 0
	try := func(what string, trees pair, proof tlog.TreeProof) error {
		if trees.check(proof) == nil {
			return fmt.Errorf("accepted with %s", what)
		}
		refused++
		return nil
	}
	for _, changed := range changes(proof) {
		if err := try("another proof", trees, changed); err != nil {
			return 0, err
		}
	}
	older, newer := trees, trees
	older.olderRoot, newer.newerRoot = flipped(trees.olderRoot), flipped(trees.newerRoot)
	if err := try("another old root", older, proof); err != nil {
		return 0, err
	}
	return refused + 1, try("another new root", newer, proof)
}

// changes of a proof: a flipped bit, a hash too few, a hash too many, two swapped.
func changes(proof []tlog.Hash) [][]tlog.Hash {
	copied := func() []tlog.Hash { return append([]tlog.Hash(nil), proof...) }
	longer := append(copied(), tlog.Hash{})
	found := [][]tlog.Hash{longer}
	if len(proof) == 0 {
		return found
	}
	changed := copied()
	changed[len(changed)/2] = flipped(changed[len(changed)/2])
	found = append(found, changed, copied()[1:])
	if len(proof) > 1 {
		swapped := copied()
		swapped[0], swapped[1] = swapped[1], swapped[0]
		found = append(found, swapped)
	}
	return found
}

func flipped(hash tlog.Hash) tlog.Hash {
	hash[7] ^= 0x10
	return hash
}
