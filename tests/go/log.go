package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Height of the tiles: 256 hashes each.
const height = 8

// Source gives the files of a log by their names below it.
type Source func(name string) ([]byte, error)

func newSource(base string) Source {
	if !strings.HasPrefix(base, "http://") && !strings.HasPrefix(base, "https://") {
		return func(name string) ([]byte, error) {
			return os.ReadFile(filepath.Join(base, filepath.FromSlash(name)))
		}
	}
	return func(name string) ([]byte, error) {
		answer, err := http.Get(strings.TrimSuffix(base, "/") + "/" + name)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", name, answer.Status)
		}
		return io.ReadAll(answer.Body)
	}
}

// openCheckpoint opens the note by Go's own code and counts the witnesses.
func openCheckpoint(source Source, policy *Policy) (tlog.Tree, int, error) {
	var tree tlog.Tree
	raw, err := source("checkpoint")
	if err != nil {
		return tree, 0, err
	}
	opened, err := note.Open(raw, policy.verifiers())
	if err != nil {
		return tree, 0, err
	}
	byLog, cosignatures := false, 0
	for _, signature := range opened.Sigs {
		if signature.Name == policy.log.Name() && signature.Hash == policy.log.KeyHash() {
			byLog = true
		} else {
			cosignatures++
		}
	}
	if !byLog || cosignatures < policy.quorum {
		return tree, 0, fmt.Errorf("%d of %d cosignatures, by the log: %v", cosignatures, policy.quorum, byLog)
	}
	origin, rest, found := strings.Cut(opened.Text, "\n")
	if !found || origin != policy.origin {
		return tree, 0, fmt.Errorf("it is of %q", origin)
	}
	// The other two lines are those of a go.sum database.
	tree, err = tlog.ParseTree([]byte("go.sum database tree\n" + rest))
	return tree, cosignatures, err
}

// Tiles is a tlog.TileReader of the C2SP layout. Where a partial tile of some width is
// not there, a wider one is cut: the checkpoint's own or the full one.
type Tiles struct {
	source Source
	size   int64
	kept   map[tlog.Tile][]byte
}

// Height of the tiles.
func (tiles *Tiles) Height() int { return height }

// SaveTiles has nothing to do: what is kept lives as long as the program.
func (tiles *Tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles fetches each tile once.
func (tiles *Tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		width := tiles.width(tile)
		if tile.W > width {
			return nil, fmt.Errorf("%s is not in the log", tile.Path())
		}
		widest := tile
		widest.W = width
		if tiles.kept[widest] == nil {
			raw, err := tiles.source(name(widest))
			if err != nil {
				return nil, err
			}
			if len(raw) != width*tlog.HashSize {
				return nil, fmt.Errorf("%s has %d bytes", name(widest), len(raw))
			}
			tiles.kept[widest] = raw
		}
		data = append(data, tiles.kept[widest][:tile.W*tlog.HashSize])
	}
	return data, nil
}

// width of a tile in the whole log.
func (tiles *Tiles) width(tile tlog.Tile) int {
	hashes := tiles.size >> uint(tile.L*height)
	return widthAt(hashes, tile.N)
}

func widthAt(count, number int64) int {
	rest := count - number<<height
	if rest > 1<<height {
		rest = 1 << height
	}
	return int(rest)
}

// name of a tile as C2SP has it: Go's without the height.
func name(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tile.H))
}

// Log is a whole log: entries and roots of all sizes. It is a tlog.HashReader, each of
// whose hashes was authenticated by the checkpoint when it was first read.
type Log struct {
	tree    tlog.Tree
	entries [][]byte
	roots   []tlog.Hash
	tiles   tlog.HashReader
	known   map[int64]tlog.Hash
}

func readLog(source Source, tree tlog.Tree) (*Log, error) {
	tiles := &Tiles{source, tree.N, map[tlog.Tile][]byte{}}
	log := &Log{tree: tree, tiles: tlog.TileHashReader(tree, tiles), known: map[int64]tlog.Hash{}}
	if err := log.readEntries(source); err != nil {
		return nil, err
	}
	log.roots = make([]tlog.Hash, tree.N+1)
	for size := int64(1); size <= tree.N; size++ {
		root, err := tlog.TreeHash(size, log)
		if err != nil {
			return nil, err
		}
		log.roots[size] = root
	}
	if log.roots[tree.N] != tree.Hash {
		return nil, fmt.Errorf("the root is %v", log.roots[tree.N])
	}
	return log, nil
}

// ReadHashes asks the tiles for what is not known yet.
func (log *Log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var missing []int64
	for _, index := range indexes {
		if _, found := log.known[index]; !found {
			missing = append(missing, index)
		}
	}
	if len(missing) > 0 {
		hashes, err := log.tiles.ReadHashes(missing)
		if err != nil {
			return nil, err
		}
		for i, index := range missing {
			log.known[index] = hashes[i]
		}
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = log.known[index]
	}
	return hashes, nil
}

// readEntries reads the entry bundles: each entry with its length in two bytes before it.
func (log *Log) readEntries(source Source) error {
	for number := int64(0); number<<height < log.tree.N; number++ {
		width := widthAt(log.tree.N, number)
		path := name(tlog.Tile{H: height, L: 0, N: number, W: width})
		path = "tile/entries/" + strings.TrimPrefix(path, "tile/0/")
		raw, err := source(path)
		if err != nil {
			return err
		}
		for i := 0; i < width; i++ {
			if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
				return fmt.Errorf("%s is cut short", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(raw))
			log.entries = append(log.entries, raw[2:end])
			raw = raw[end:]
		}
		if len(raw) > 0 {
			return fmt.Errorf("%s has bytes left over", path)
		}
	}
	return nil
}
