package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Policy is whom we trust: a C2SP tlog-policy file with one log, its witnesses and one
// group of which a number must have cosigned.
type Policy struct {
	origin    string
	log       note.Verifier
	witnesses map[string]note.Verifier
	quorum    int
}

func readPolicy(path string) (*Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	policy := &Policy{witnesses: map[string]note.Verifier{}}
	groups := map[string]int{}
	for number, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := policy.read(words, groups); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	if policy.log == nil || policy.quorum < 1 {
		return nil, fmt.Errorf("no log or no quorum")
	}
	return policy, nil
}

func (policy *Policy) read(words []string, groups map[string]int) error {
	switch {
	case words[0] == "log" && len(words) >= 2 && policy.log == nil:
		verifier, err := note.NewVerifier(words[1])
		if err != nil {
			return err
		}
		policy.log, policy.origin = verifier, verifier.Name()
	case words[0] == "witness" && len(words) >= 3:
		verifier, err := newWitness(words[2])
		if err != nil {
			return err
		}
		policy.witnesses[words[1]] = verifier
		groups[words[1]] = 1
	case words[0] == "group" && len(words) >= 4:
		for _, name := range words[3:] {
			if policy.witnesses[name] == nil {
				return fmt.Errorf("%s is not a witness", name)
			}
		}
		count, err := threshold(words[2], len(words)-3)
		if err != nil {
			return err
		}
		groups[words[1]] = count
	case words[0] == "quorum" && len(words) == 2 && groups[words[1]] > 0:
		policy.quorum = groups[words[1]]
	default:
		return fmt.Errorf("%q is not understood", strings.Join(words, " "))
	}
	return nil
}

func threshold(word string, members int) (int, error) {
	switch word {
	case "all":
		return members, nil
	case "any":
		return 1, nil
	}
	count, err := strconv.Atoi(word)
	if err != nil || count < 1 || count > members {
		return 0, fmt.Errorf("%q of %d", word, members)
	}
	return count, nil
}

// verifiers of the log and all witnesses, for note.Open.
func (policy *Policy) verifiers() note.Verifiers {
	list := []note.Verifier{policy.log}
	for _, verifier := range policy.witnesses {
		list = append(list, verifier)
	}
	return note.VerifierList(list...)
}
