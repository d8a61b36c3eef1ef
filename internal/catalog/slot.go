package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// The conditions on the item of a slot.
const (
	notHeld = "(attribute_not_exists(#held_until) OR #held_until < :now)"
	unused  = "attribute_not_exists(#users)"
)

func slotItemKey(slot string) item { return key("slot#"+slot, "slot") }

// userText returns a user as an element of a set. No account has a #.
func userText(u database.SlotUser) string { return u.Account + "#" + u.DatabaseID }

func userSet(users ...database.SlotUser) types.AttributeValue {
	var all []string
	for _, u := range users {
		all = append(all, userText(u))
	}
	return &types.AttributeValueMemberSS{Value: all}
}

// slotUsers returns the users in a slot's item.
func (i item) slotUsers() []database.SlotUser {
	set, ok := i[attrUsers].(*types.AttributeValueMemberSS)
	if !ok {
		return nil
	}
	var users []database.SlotUser
	for _, s := range slices.Sorted(slices.Values(set.Value)) {
		account, id, _ := strings.Cut(s, "#")
		users = append(users, database.SlotUser{Account: account, DatabaseID: id})
	}
	return users
}

// slotError returns why the item of a slot did not meet a condition.
func (i item) slotError(now time.Time) error {
	until, err := i.time(attrHeldUntil)
	switch {
	case err != nil:
		return broken(err)
	case !until.IsZero() && !until.Before(now):
		return database.ErrSlotHeld
	}
	return &database.SlotSharedError{Users: i.slotUsers()}
}

// slotStep is what a transaction does to the item of a slot.
type slotStep int

const (
	takeSlot  slotStep = iota // records the first user
	shareSlot                 // records another user
	useSlot                   // records a user, if there are not too many
	freeSlot                  // removes the item of the only user
	leaveSlot                 // removes one of several users
	skipSlot                  // nothing: the user is not recorded
)

// slotChange changes the record of d's slot or publication, whose key is key.
type slotChange struct {
	step slotStep
	d    database.Database
	key  string
}

// moveSlots returns the changes that move the records of a database from old's slot and
// publication to d's, where they differ. Either is empty for none.
func moveSlots(old, d database.Database, w database.Writing) []slotChange {
	var changes []slotChange
	move := func(step slotStep, from, to string) {
		if from == to {
			return
		}
		if from != "" {
			changes = append(changes, slotChange{freeSlot, old, from})
		}
		if to != "" {
			changes = append(changes, slotChange{step, d, to})
		}
	}
	take := takeSlot
	if w.ShareSlot {
		take = shareSlot
	}
	move(take, old.SlotKey(), d.SlotKey())
	move(useSlot, old.PublicationKey(), d.PublicationKey())
	return changes
}

// slotChange returns the part of the transaction.
func (c *Catalog) slotChange(s slotChange) types.TransactWriteItem {
	names := map[string]string{"#users": attrUsers}
	me := userSet(database.SlotUser{Account: s.d.Account, DatabaseID: s.d.ID})
	key := slotItemKey(s.key)
	if s.step == freeSlot {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &c.table, Key: key, ConditionExpression: aws.String(unused + " OR #users = :me"),
			ExpressionAttributeNames: names, ExpressionAttributeValues: item{":me": me},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}}
	}
	update := &types.Update{
		TableName: &c.table, Key: key, ExpressionAttributeNames: names, ExpressionAttributeValues: item{":me": me},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if s.step == leaveSlot {
		update.UpdateExpression = aws.String("DELETE #users :me")
		update.ConditionExpression = aws.String("attribute_exists(#users) AND #users <> :me")
		return types.TransactWriteItem{Update: update}
	}
	names["#held_until"] = attrHeldUntil
	update.ExpressionAttributeValues[":now"] = fixedTimestamp(s.d.UpdatedAt)
	update.UpdateExpression = aws.String("ADD #users :me")
	update.ConditionExpression = aws.String(notHeld)
	switch s.step {
	case takeSlot:
		update.ConditionExpression = aws.String(notHeld + " AND " + unused)
	case useSlot:
		update.ExpressionAttributeValues[":max"] = number(database.MaxSlotUsers)
		update.ConditionExpression = aws.String(notHeld + " AND (" + unused + " OR size(#users) < :max)")
	}
	return types.TransactWriteItem{Update: update}
}

// next returns what to do instead after the condition failed on existing. The error says
// that the caller has to decide.
func (s slotChange) next(existing item) (slotChange, error) {
	recorded := slices.Contains(existing.slotUsers(), database.SlotUser{Account: s.d.Account, DatabaseID: s.d.ID})
	switch {
	case s.step == freeSlot && recorded:
		s.step = leaveSlot
	case s.step == leaveSlot && recorded:
		s.step = freeSlot
	case s.step == freeSlot, s.step == leaveSlot:
		s.step = skipSlot
	case s.step == takeSlot && recorded && len(existing.slotUsers()) == 1:
		s.step = shareSlot // a restored table may have the entry
	default:
		refused := existing.slotError(s.d.UpdatedAt)
		if s.step != useSlot || errors.Is(refused, database.ErrSlotHeld) {
			return s, refused
		}
		s.step = skipSlot // it has too many users
	}
	return s, nil
}

// transactSlots is transact with changes of slots after the others. It repeats the
// transaction, with another token, while a slot's item alone fails its condition and
// another change does instead. Otherwise the failed conditions have the indexes of
// changes; the error of a slot is joined to them.
func (c *Catalog) transactSlots(ctx context.Context, token string, changes []types.TransactWriteItem, slots ...slotChange) error {
	const maxRounds = 4
	var earlier error
	for round := 1; ; round++ {
		all := slices.Clone(changes)
		var placed []int
		for i, s := range slots {
			if s.step != skipSlot {
				all, placed = append(all, c.slotChange(s)), append(placed, i)
			}
		}
		err := awsretry.After(earlier, c.transact(ctx, slotToken(token, slots), all...))
		failed := failedConditions(err)
		if len(failed) == 0 {
			return err
		}
		var refused error
		others := 0
		for index, existing := range failed {
			if index < len(changes) {
				others++
				continue
			}
			slot := placed[index-len(changes)]
			next, slotErr := slots[slot].next(existing)
			slots[slot], refused = next, errors.Join(refused, slotErr)
		}
		if others > 0 {
			return err
		}
		if refused != nil || round == maxRounds {
			return slotRefused(refused, err)
		}
		earlier = err
	}
}

// slotRefused returns the error of a write that a slot's item prevented. Its kind is
// UnknownOutcome if an earlier attempt may still land.
func slotRefused(refused, err error) error {
	if refused == nil {
		return apierror.OfStore(apierror.Unavailable, err)
	}
	if ambiguous := ambiguousAttempt(err); ambiguous != nil {
		return apierror.New(apierror.UnknownOutcome, "the slot has other users",
			fmt.Errorf("%w (after an attempt with an ambiguous outcome: %w)", refused, ambiguous))
	}
	return refused
}

// isSlotError reports whether a slot's item prevented a write.
func isSlotError(err error) bool {
	_, shared := errors.AsType[*database.SlotSharedError](err)
	return shared || errors.Is(err, database.ErrSlotHeld)
}

// slotToken returns the token of a transaction: DynamoDB rejects one that it knows from
// a transaction with other changes.
func slotToken(token string, slots []slotChange) string {
	usual := true
	text := token
	for _, s := range slots {
		usual = usual && (s.step == takeSlot || s.step == useSlot || s.step == freeSlot)
		text += fmt.Sprint(" ", s.step)
	}
	if usual {
		return token
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(text)).String()
}

// SlotUsers returns the recorded users of a slot. The error's kind is Throttled,
// Unavailable or Internal.
func (c *Catalog) SlotUsers(ctx context.Context, key string) ([]database.SlotUser, error) {
	stored, err := c.get(ctx, slotItemKey(key))
	if apierror.KindOf(err) == apierror.NotFound {
		return nil, nil
	}
	return stored.slotUsers(), err
}

// HoldSlot keeps a slot from being registered, as database.Catalog says.
func (c *Catalog) HoldSlot(ctx context.Context, h database.SlotHold) error {
	users, values := unused, item{":now": fixedTimestamp(h.Since), ":until": fixedTimestamp(h.Until()), ":holder": text(h.Holder)}
	if len(h.Expected) > 0 {
		users, values[":users"] = "#users = :users", userSet(h.Expected...)
	}
	err := write(ctx, c.client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName: &c.table, Key: slotItemKey(h.Key),
		ConditionExpression:       aws.String(users + " AND (#holder = :holder OR " + notHeld + ")"),
		UpdateExpression:          aws.String("SET #holder = :holder, #held_until = :until"),
		ExpressionAttributeNames:  map[string]string{"#users": attrUsers, "#holder": attrHolder, "#held_until": attrHeldUntil},
		ExpressionAttributeValues: values, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return nil
	}
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		existing := item(failed.Item)
		if existing.text(attrHolder) == h.Holder {
			return &database.SlotSharedError{Users: existing.slotUsers()}
		}
		return existing.slotError(h.Since)
	}
	// The hold lapses, so an ambiguous outcome is safe.
	return awsretry.DomainError(err, fmt.Errorf("hold slot: %w", err), apierror.Unavailable)
}

// ReleaseSlot ends a hold, as database.Catalog says.
func (c *Catalog) ReleaseSlot(ctx context.Context, h database.SlotHold) error {
	var err error
	if len(h.Expected) == 0 {
		err = write(ctx, c.client.DeleteItem, &dynamodb.DeleteItemInput{
			TableName: &c.table, Key: slotItemKey(h.Key), ConditionExpression: aws.String("#holder = :holder AND " + unused),
			ExpressionAttributeNames:  map[string]string{"#users": attrUsers, "#holder": attrHolder},
			ExpressionAttributeValues: item{":holder": text(h.Holder)},
		})
	} else {
		err = write(ctx, c.client.UpdateItem, &dynamodb.UpdateItemInput{
			TableName: &c.table, Key: slotItemKey(h.Key), ConditionExpression: aws.String("#holder = :holder"),
			UpdateExpression:          aws.String("REMOVE #holder, #held_until"),
			ExpressionAttributeNames:  map[string]string{"#holder": attrHolder, "#held_until": attrHeldUntil},
			ExpressionAttributeValues: item{":holder": text(h.Holder)},
		})
	}
	if err == nil || isConditionFailed(err) {
		return nil
	}
	return awsretry.DomainError(err, fmt.Errorf("release slot: %w", err), apierror.Unavailable)
}
