package verdicts_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
)

// scene is one target, as a list of choices. Seed names it; the same choices make
// the same scene whatever the seed.
type scene struct {
	Seed uint64 `json:"seed"`
	// Choices has the choice by axis. An axis that is absent is at its first choice.
	Choices map[string]string `json:"choices,omitempty"`
	Tables  []string          `json:"tables,omitempty"`
}

// axis is one thing about a scene that can be chosen independently of the others.
type axis struct {
	name    string
	choices []choice // the first is the healthy one
}

// choice is one value of an axis.
type choice struct {
	name string
	// since is the first major that has it, 0 for every one.
	since int
	set   func(*plan)
	// alone says that the choice needs a server on which the settings, the standby
	// and the slots in use are as they are by default.
	alone bool
	// excludes are axes on which nothing else can be chosen.
	excludes []string
}

func axes() []axis {
	return []axis{
		namesAxis(), roleAxis(), privilegeAxis(), loginAxis(), encryptionAxis(), certificateAxis(), passwordAxis(),
		frontAxis(), publicationAxis(), viaRootAxis(), pendingAxis(), slotAxis(), obstacleAxis(), settingsAxis(), standbyAxis(), endpointAxis(),
	}
}

// generate makes the scene with this seed for a major.
func generate(seed uint64, major int) scene {
	random := rand.New(rand.NewPCG(seed, uint64(major)))
	s := scene{Seed: seed, Choices: map[string]string{}}
	all := axes()
	changes := []int{0, 1, 1, 1, 2, 2, 2, 3, 3, 4}[random.IntN(10)]
	for _, i := range random.Perm(len(all))[:changes] {
		a := all[i]
		if c := a.choices[random.IntN(len(a.choices))]; c.since <= major {
			s.Choices[a.name] = c.name
		}
	}
	kinds := tableKinds()
	for range 1 + random.IntN(3) {
		k := kinds[0]
		if other := kinds[random.IntN(len(kinds))]; random.IntN(3) > 0 && other.since <= major {
			k = other
		}
		s.Tables = append(s.Tables, k.name)
	}
	return s.normal()
}

// normal leaves out the choices that are the axis's first, and those that exclude
// each other.
func (s scene) normal() scene {
	n := scene{Seed: s.Seed, Choices: map[string]string{}, Tables: s.Tables}
	alone := ""
	var excluded []string
	for _, a := range axes() {
		c, _ := a.find(s.Choices[a.name])
		excluded = append(excluded, c.excludes...)
	}
	for _, a := range axes() {
		c, ok := a.find(s.Choices[a.name])
		if !ok || c.name == a.choices[0].name || c.alone && alone != "" || slices.Contains(excluded, a.name) {
			continue
		}
		if c.alone {
			alone = a.name
		}
		n.Choices[a.name] = c.name
	}
	return n
}

func (a axis) find(name string) (choice, bool) {
	i := slices.IndexFunc(a.choices, func(c choice) bool { return c.name == name })
	if i < 0 {
		return a.choices[0], false
	}
	return a.choices[i], true
}

// plan is what the scene's choices come to on a server of this major.
func (s scene) plan(major int) *plan {
	p := newPlan(major)
	for i, name := range s.Tables {
		if k, ok := findKind(name); ok {
			p.tables = append(p.tables, newTable(i+1, k))
		}
	}
	for _, a := range axes() {
		if c, _ := a.find(s.Choices[a.name]); c.set != nil {
			c.set(p)
		}
	}
	return p
}

// smaller are the scenes that have one choice or one table less.
func (s scene) smaller() []scene {
	var all []scene
	for _, name := range slices.Sorted(maps.Keys(s.Choices)) {
		n := scene{Seed: s.Seed, Choices: maps.Clone(s.Choices), Tables: s.Tables}
		delete(n.Choices, name)
		all = append(all, n)
	}
	for i := range s.Tables {
		if len(s.Tables) > 1 {
			all = append(all, scene{Seed: s.Seed, Choices: s.Choices, Tables: slices.Delete(slices.Clone(s.Tables), i, i+1)})
		}
	}
	for i, name := range s.Tables {
		if plain := tableKinds()[0].name; name != plain {
			n := scene{Seed: s.Seed, Choices: s.Choices, Tables: slices.Clone(s.Tables)}
			n.Tables[i] = plain
			all = append(all, n)
		}
	}
	return all
}

// String is the scene as JSON, which the corpus and -scene take.
func (s scene) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
