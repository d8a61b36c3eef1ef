package localstore

import (
	"context"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// slot records which databases have a slot, or a publication, and who is dropping it.
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

// moveSlots moves the records of a database from old's slot and publication to d's, where
// they differ, as database.Catalog says of Update. Either is empty for none.
func moveSlots(tx *bolt.Tx, old, d database.Database, w database.Writing) error {
	if err := moveSlot(tx, old.SlotKey(), d.SlotKey(), old, d, w.ShareSlot); err != nil {
		return err
	}
	return moveSlot(tx, old.PublicationKey(), d.PublicationKey(), old, d, true)
}

func moveSlot(tx *bolt.Tx, from, to string, old, d database.Database, share bool) error {
	if from == to {
		return nil
	}
	if err := freeSlot(tx, from, old); err != nil {
		return err
	}
	return recordSlot(tx, to, d, share)
}

// recordSlot records d as a user of a slot, if the key is not empty.
func recordSlot(tx *bolt.Tx, key string, d database.Database, share bool) error {
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
	case len(others) > 0 && !share:
		return &database.SlotSharedError{Users: s.Users}
	case len(others) >= database.MaxSlotUsers:
		return nil
	}
	s.Users, s.Holder, s.HeldUntil = append(others, me), "", time.Time{}
	return s.store(tx, key)
}

// freeSlot removes d from the users of a slot, and the hold of a slot that nobody else
// has.
func freeSlot(tx *bolt.Tx, key string, d database.Database) error {
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

// SlotUsers returns the recorded users of a slot, as database.Catalog says.
func (c *Catalog) SlotUsers(ctx context.Context, key string) (users []database.SlotUser, err error) {
	err = c.store.view(ctx, func(tx *bolt.Tx) error {
		s, err := readSlot(tx, key)
		users = s.Users
		return err
	})
	return users, err
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
