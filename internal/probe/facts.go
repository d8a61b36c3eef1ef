package probe

import (
	"encoding/json"
	"errors"
)

// facts are what one session told. A part that could not be asked is nil.
type facts struct {
	Server      *serverFacts `json:"server"`
	Identity    *string      `json:"identity"`
	WALSenders  *int         `json:"walsenders"`
	Publication *struct {
		Found *publication `json:"found"`
	} `json:"publication"`
	Slot *struct {
		Found *slot `json:"found"`
	} `json:"slot"`
	Tables *tables `json:"tables"`
}

type serverFacts struct {
	Version        int               `json:"version"`
	InRecovery     bool              `json:"in_recovery"`
	Database       string            `json:"database"`
	DatabaseOID    int64             `json:"database_oid"`
	PID            uint32            `json:"pid"`
	BackendType    string            `json:"backend_type"`
	Settings       map[string]string `json:"settings"`
	Role           string            `json:"role"`
	Superuser      bool              `json:"superuser"`
	Replication    bool              `json:"replication"`
	RDSReplication bool              `json:"rds_replication"`
	Aurora         bool              `json:"aurora"`
}

// major is the server's major version.
func (s *serverFacts) major() int { return s.Version / 10000 }

type publication struct {
	AllTables bool  `json:"puballtables"`
	Insert    bool  `json:"pubinsert"`
	Update    bool  `json:"pubupdate"`
	Delete    bool  `json:"pubdelete"`
	Truncate  bool  `json:"pubtruncate"`
	ViaRoot   *bool `json:"pubviaroot"` // from 13
	Age       int64 `json:"age"`
}

type slot struct {
	Plugin             string  `json:"plugin"`
	SlotType           string  `json:"slot_type"`
	Database           string  `json:"database"`
	Temporary          bool    `json:"temporary"`
	Active             bool    `json:"active"`
	ActivePID          *int    `json:"active_pid"`
	RestartLSN         *string `json:"restart_lsn"`
	WALStatus          string  `json:"wal_status"`          // from 13
	SafeWALSize        *int64  `json:"safe_wal_size"`       // from 13
	Conflicting        bool    `json:"conflicting"`         // from 16
	InvalidationReason *string `json:"invalidation_reason"` // from 17
	Synced             bool    `json:"synced"`              // from 17
	Age                *int64  `json:"age"`
	Retained           *int64  `json:"retained"`
}

type tables struct {
	Count      int         `json:"count"`
	Partitions int         `json:"partitions"`
	Closed     nameList    `json:"closed"`     // schemas without USAGE: [[schema]]
	Unreadable nameList    `json:"unreadable"` // tables without SELECT: [[schema, table]]
	Locked     nameList    `json:"locked"`     // schemas with such tables
	NoIdentity nameList    `json:"no_identity"`
	Totals     tableTotals `json:"totals"`
}

type tableTotals struct {
	Unreadable int `json:"unreadable"`
	NoIdentity int `json:"no_identity"`
}

// nameList is the first of the names found, each as its parts.
type nameList [][]string

// decode reads the answer about ps. An answer that lacks a part that is not
// optional, or that holds more than was asked for, is none: what is told of it
// stays within bounds, whatever a server sends.
func (f *facts) decode(answer []byte, ps []part) error {
	next := *f
	if err := json.Unmarshal(answer, &next); err != nil {
		return err
	}
	for _, p := range ps {
		if !p.optional && !next.has(p.name) {
			return errors.New("the answer has no " + p.name)
		}
	}
	if !next.bounded() {
		return errors.New("the answer holds more than was asked for")
	}
	*f = next
	return nil
}

func (f *facts) has(part string) bool {
	switch part {
	case partServer:
		return f.Server != nil
	case partPublication:
		return f.Publication != nil
	case partSlot:
		return f.Slot != nil
	}
	return true
}

// mostName bounds a name, in bytes. Postgres's have 63, in the server's
// encoding; forks have longer ones.
const mostName = 512

func (f *facts) bounded() bool {
	if s := f.Server; s != nil && (len(s.Database) > mostName || len(s.Role) > mostName) {
		return false
	}
	if s := f.Slot; s != nil && s.Found != nil && len(s.Found.Database) > mostName {
		return false
	}
	t := f.Tables
	return t == nil || t.Closed.bounded(1) && t.Locked.bounded(1) && t.Unreadable.bounded(2) && t.NoIdentity.bounded(2)
}

// bounded tells whether l has no more names than were asked for, each of so
// many parts.
func (l nameList) bounded(parts int) bool {
	for _, n := range l {
		if len(n) != parts {
			return false
		}
		for _, p := range n {
			if len(p) > mostName {
				return false
			}
		}
	}
	return len(l) <= mostListed
}
