package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A cosignature/v1 key (C2SP tlog-cosignature), which Go's note package does not know.
const cosignatureV1 = 0x04

// Witness is a note.Verifier of cosignatures.
type Witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// newWitness reads a vkey: name+hash+base64 of 0x04 and the key.
func newWitness(vkey string) (*Witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || len(parts[1]) != 8 {
		return nil, fmt.Errorf("%q is not a key of a witness", vkey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(key) != 1+ed25519.PublicKeySize || key[0] != cosignatureV1 {
		return nil, fmt.Errorf("%q is not of type 0x04", vkey)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if binary.BigEndian.Uint32(sum[:4]) != uint32(hash) {
		return nil, fmt.Errorf("the hash of %q is another", vkey)
	}
	return &Witness{parts[0], uint32(hash), ed25519.PublicKey(key[1:])}, nil
}

// Name of the witness, as its lines begin.
func (witness *Witness) Name() string { return witness.name }

// KeyHash is the first part of what its lines hold.
func (witness *Witness) KeyHash() uint32 { return witness.hash }

// Verify checks a time and a signature over it and the text.
func (witness *Witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature[:8])
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(witness.key, []byte(message), signature[8:])
}
