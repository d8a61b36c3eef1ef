package localstore

import (
	"context"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// slot records which databases have a slot, and who is dropping it.
type slot struct {
	Users     []database.SlotUser `json:"users,omitempty"`
	Holder    string              `json:"holder,omitempty"`
	HeldUntil time.Time           `json:"held_until,omitzero"`
}

func (s slot) held(now time.Time) bool { return !s.HeldUntil.IsZero() && !s.HeldUntil.Before(now) }

func readSlot(tx *bolt.Tx, key string) (slot, error) {
	var s slot
	err := get(tx, slots, key, &s)
	if apierror.KindOf(err) == apierror.NotFound {
		return slot{}, nil
	}
	return s, err
}

// store writes s, or removes its entry where nothing is left of it.
func (s slot) store(tx *bolt.Tx, key string) error {
	if len(s.Users) == 0 && s.Holder == "" {
		return remove(tx, slots, key)
	}
	return put(tx, slots, key, s)
}

func userOf(d database.Database) database.SlotUser {
	return database.SlotUser{Account: d.Account, DatabaseID: d.ID}
}

// recordSlot records d as a user of its slot, as database.Catalog says of Insert.
func recordSlot(tx *bolt.Tx, d database.Database, w database.Writing) error {
	key := d.SlotKey()
	if key == "" {
		return nil
	}
	s, err := readSlot(tx, key)
	if err != nil {
		return err
	}
	me := userOf(d)
	others := slices.DeleteFunc(slices.Clone(s.Users), func(u database.SlotUser) bool { return u == me })
	switch {
	case s.held(d.UpdatedAt):
		return database.ErrSlotHeld
	case len(others) > 0 && !w.ShareSlot:
		return &database.SlotSharedError{Users: s.Users}
	}
	s.Users, s.Holder, s.HeldUntil = append(others, me), "", time.Time{}
	return s.store(tx, key)
}

// freeSlot removes d from the users of its slot, and the hold of a slot that nobody
// else has.
func freeSlot(tx *bolt.Tx, d database.Database) error {
	key := d.SlotKey()
	if key == "" {
		return nil
	}
	s, err := readSlot(tx, key)
	if err != nil {
		return err
	}
	me := userOf(d)
	s.Users = slices.DeleteFunc(s.Users, func(u database.SlotUser) bool { return u == me })
	if len(s.Users) == 0 {
		s = slot{}
	}
	return s.store(tx, key)
}

// HoldSlot keeps a slot from being registered, as database.Catalog says.
func (c *Catalog) HoldSlot(ctx context.Context, h database.SlotHold) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		s, err := readSlot(tx, h.Key)
		if err != nil {
			return err
		}
		if s.Holder != h.Holder && s.held(h.Since) {
			return database.ErrSlotHeld
		}
		if !sameUsers(s.Users, h.Expected) {
			return &database.SlotSharedError{Users: s.Users}
		}
		s.Holder, s.HeldUntil = h.Holder, h.Until()
		return s.store(tx, h.Key)
	})
}

func sameUsers(a, b []database.SlotUser) bool {
	within := func(a, b []database.SlotUser) bool {
		return !slices.ContainsFunc(a, func(u database.SlotUser) bool { return !slices.Contains(b, u) })
	}
	return within(a, b) && within(b, a)
}

// ReleaseSlot ends a hold, as database.Catalog says.
func (c *Catalog) ReleaseSlot(ctx context.Context, h database.SlotHold) error {
	return c.store.update(ctx, func(tx *bolt.Tx) error {
		s, err := readSlot(tx, h.Key)
		if err != nil || s.Holder != h.Holder {
			return err
		}
		s.Holder, s.HeldUntil = "", time.Time{}
		return s.store(tx, h.Key)
	})
}
