package verdicts_test

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/check"
)

// trouble is one thing that a consumer or the application met with, or that a
// setting holds ready for them.
type trouble struct {
	what string
	// codes are the findings that say so; one of them has to be in the report.
	codes []check.Code
	// table is the tag of the table that it is about, empty for none.
	table string
	// optional says that the report may also be silent.
	optional bool
}

// oldestMajor is the first major version that the contract has.
const oldestMajor = 12

// troubles are what the report has to say of what was observed.
func (w *world) troubles(o *observation) []trouble {
	var all []trouble
	if o.login != nil {
		all = append(all, trouble{what: "the login fails: " + o.login.Error(), codes: w.loginCodes(o, o.login)})
	}
	if codes := o.startCodes(w); o.start != nil {
		if stateOf(o.start) == "42601" { // an ordinary session, to which START_REPLICATION is a syntax error
			all = append(all, trouble{what: "replication does not pass: " + o.start.Error(), codes: []check.Code{check.ConnectionPooler}})
		}
		if len(codes) > 0 || len(all) == 0 {
			all = append(all, trouble{what: "the slot can't be started: " + o.start.Error(), codes: codes})
		}
	} else if o.login != nil && len(codes) > 0 {
		all = append(all, trouble{what: "the slot could not be started", codes: codes})
	}
	all = append(all, w.streamTroubles(o)...)
	all = append(all, o.publicationTroubles()...)
	all = append(all, w.settingTroubles(o)...)
	for _, t := range o.tables {
		all = append(all, o.tableTroubles(t)...)
	}
	// A copy over a walsender would still work.
	if o.login == nil && stateOf(o.ordinary) == "53300" {
		all = append(all, trouble{what: "no ordinary session: " + o.ordinary.Error(), codes: []check.Code{check.TablesUnreadable}, optional: true})
	}
	for _, name := range o.unreadable {
		all = append(all, trouble{what: "a copy of " + name + " fails", codes: []check.Code{check.TablesUnreadable}})
	}
	return all
}

// loginCodes are the findings that explain why the login failed. Where a walsender
// is refused before the password is looked at, what refuses an ordinary session is as
// true.
func (w *world) loginCodes(o *observation, err error) []check.Code {
	if o.withTLS {
		return []check.Code{check.TLSRequired}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		codes := o.refusalCodes(e)
		if (e.Code == "53300" || e.Code == "08P01" || e.Code == "42501") && o.ordinary != nil && err != o.ordinary {
			if codes = append(codes, w.loginCodes(o, o.ordinary)...); stateOf(o.ordinary) == "53300" {
				codes = append(codes, check.TooManyConnections) // walsenders have a limit of their own
			}
		}
		return codes
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return []check.Code{check.HostnameNotFound}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return []check.Code{check.TLSCertificateInvalid}
	}
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return []check.Code{check.ConnectionRefused}
	case strings.Contains(text, "server refused TLS connection"):
		return []check.Code{check.TLSNotSupported}
	case strings.Contains(text, "tls:"):
		return []check.Code{check.TLSFailed}
	case strings.Contains(text, "require_auth"):
		return []check.Code{check.TLSRequired}
	}
	return nil
}

func (o *observation) refusalCodes(e *pgconn.PgError) []check.Code {
	role := o.facts.Role
	switch e.Code {
	case "28P01":
		return []check.Code{check.AuthenticationFailed}
	case "28000":
		switch {
		case strings.Contains(e.Message, "valid client certificate"):
			return []check.Code{check.ClientCertificateRequired}
		case e.Routine == "auth_failed":
			return []check.Code{check.AuthenticationFailed, check.ConnectionNotPermitted}
		}
		return []check.Code{check.ConnectionNotPermitted}
	case "08P01":
		if strings.Contains(e.Message, "authentication failed") {
			return []check.Code{check.AuthenticationFailed}
		}
		return []check.Code{check.ConnectionPooler}
	case "3D000":
		return []check.Code{check.DatabaseNotFound}
	case "42501":
		if role != nil && !role.Connect {
			return []check.Code{check.ConnectionNotPermitted}
		}
		return []check.Code{check.ReplicationNotPermitted}
	case "53300":
		if int64(o.facts.Senders) >= o.facts.number("max_wal_senders") {
			if o.facts.Slot != nil && o.facts.Slot.Active { // its reader has one
				return []check.Code{check.WALSendersLow}
			}
			return []check.Code{check.NoWALSenderAvailable}
		}
		return []check.Code{check.TooManyConnections}
	}
	return []check.Code{check.ServerError, check.ServerUnavailable}
}

// startCodes are the findings that explain why the slot could not be started:
// whichever of its faults the server names first.
func (o *observation) startCodes(w *world) []check.Code {
	s := o.facts.Slot
	var codes []check.Code
	add := func(code check.Code, is bool) {
		if is {
			codes = append(codes, code)
		}
	}
	add(check.WALLevelNotLogical, o.facts.Settings["wal_level"] != "logical")
	add(check.StandbyUnsupported, o.facts.InRecovery && w.plan.major < 16)
	add(check.SlotNotFound, s == nil)
	if s == nil {
		return codes
	}
	add(check.SlotNotLogical, s.Type == "physical")
	add(check.SlotWrongDatabase, s.Database != nil && *s.Database != w.target.Endpoint.Database)
	add(check.SlotWrongPlugin, s.Plugin != nil && *s.Plugin != "pgoutput")
	add(check.SlotTemporary, s.Temporary)
	add(check.SlotSynced, s.Synced && o.facts.InRecovery)
	made := s.Type == "physical" || s.ConfirmedFlush != nil
	add(check.SlotBeingCreated, !made)
	add(check.SlotInvalidated, made && s.Type == "logical" && s.invalid())
	add(check.SlotActive, s.Active && made && !s.Temporary)
	return codes
}

// lateCodes are the codes for a publication that was made after its slot.
func (o *observation) lateCodes() []check.Code {
	if o.muchToRead() {
		return []check.Code{check.PublicationAfterSlot, check.PublicationAfterSlotSuspected}
	}
	return []check.Code{check.PublicationAfterSlot}
}

// muchToRead reports whether headgate may leave untried to read the slot.
func (o *observation) muchToRead() bool {
	return o.facts.Slot != nil && o.facts.Slot.Retained != nil && *o.facts.Slot.Retained > 16<<20
}

// streamTroubles are about the stream of changes as a whole.
func (w *world) streamTroubles(o *observation) []trouble {
	p := o.facts.Publication
	switch {
	case p == nil:
		return []trouble{{what: "there is no such publication", codes: []check.Code{check.PublicationNotFound}}}
	case errors.Is(o.stream, errHeld):
		return []trouble{{what: "changes are held back", codes: []check.Code{check.SlotHeldBack}}}
	case stateOf(o.stream) == "42704":
		return []trouble{{what: "decoding fails for want of the publication: " + o.stream.Error(), codes: o.lateCodes()}}
	case o.skipped:
		return []trouble{{what: "changes are skipped for want of the publication", codes: o.lateCodes()}}
	case o.stream != nil:
		return []trouble{{what: "decoding fails: " + o.stream.Error(), codes: []check.Code{check.DecodingFailed}}}
	}
	return nil
}

// publicationTroubles are about what the publication leaves out.
func (o *observation) publicationTroubles() []trouble {
	p := o.facts.Publication
	if p == nil {
		return nil
	}
	var all []trouble
	if len(o.published) == 0 {
		all = append(all, trouble{what: "nothing is published", codes: []check.Code{check.PublicationEmpty}, optional: p.AllTables})
	}
	if missing := p.missing(); len(missing) > 0 {
		all = append(all, trouble{what: "not published: " + strings.Join(missing, ", "), codes: []check.Code{check.PublicationOperationsMissing}})
	}
	return all
}

// settingTroubles are about what has not happened yet.
func (w *world) settingTroubles(o *observation) []trouble {
	var all []trouble
	f := o.facts
	add := func(is, optional bool, what string, codes ...check.Code) {
		if is {
			all = append(all, trouble{what: what, codes: codes, optional: optional})
		}
	}
	add(w.plan.major < oldestMajor, false, "a version that is not supported", check.UnsupportedServerVersion)
	add(f.Settings["wal_level"] != "logical", false, "wal_level is "+f.Settings["wal_level"], check.WALLevelNotLogical)
	add(!w.target.Endpoint.SSL && f.Settings["ssl"] == "on", false, "TLS is on and not used", check.TLSNotUsed, check.TLSRequired)
	add(int64(f.Senders)+1 >= f.number("max_wal_senders"), o.login != nil || w.pooler != nil, "no walsender is left beside the consumer's", check.WALSendersLow, check.NoWALSenderAvailable)
	// A slot that can't be used needs another one in its place.
	add(int64(f.Slots) >= f.number("max_replication_slots"), f.Slot != nil, "no slot is left to make", check.NoSlotAvailable)
	add(f.Role != nil && !f.Role.Replication && !f.Role.Superuser && o.login != nil, true, "the role lacks REPLICATION", check.ReplicationNotPermitted)
	add(f.InRecovery && w.target.Primary == nil, false, "a standby without its primary", check.PrimaryRequired)
	add(f.InRecovery && w.plan.major < 16, false, "a standby that can't decode", check.StandbyUnsupported)
	reached := f.primary != nil && f.primary.login == nil
	add(f.InRecovery && f.primary != nil && !reached, false, "the primary can't be asked", check.PrimaryUnreachable)
	told := reached || f.primary != nil && f.primary.withTLS // then headgate asks over TLS, and can tell
	add(f.InRecovery && told && f.primary.inRecovery, false, "the primary is a standby", check.PrimaryIsStandby)
	add(f.InRecovery && told && !f.primary.inRecovery && !f.primary.sameDatabase, false, "another database of the primary", check.PrimaryMismatch)
	add(f.InRecovery && f.Settings["hot_standby_feedback"] != "on", false, "no feedback to the primary", check.HotStandbyFeedbackOff)
	add(!f.InRecovery && f.primary != nil, false, "a primary that is not needed", check.PrimaryNotNeeded)
	// A slot that can't be used has failures alone, also where nobody comes to it. One that is being read can be used, and one behind a pooler.
	started := o.start == nil || stateOf(o.start) == "55006" || stateOf(o.start) == "42601"
	usable := started && !slices.ContainsFunc(o.startCodes(w), func(c check.Code) bool { return c != check.SlotActive })
	if s := f.Slot; s != nil && usable {
		// Between what is near and what is far, both answers are good.
		near := s.SafeWALSize != nil && *s.SafeWALSize < 4<<30
		add(near, near && *s.SafeWALSize > 48<<20, "the limit on the slot's WAL is near", check.SlotAtRisk)
		// In seconds; the scene's slot has been idle for a moment.
		idle := f.number("idle_replication_slot_timeout")
		add(idle > 0 && idle < 60*60, false, "the slot is lost when it is idle", check.SlotAtRisk)
		add(s.TwoPhase, false, "the slot is two-phase", check.SlotTwoPhase)
		add(s.Retained != nil && *s.Retained > 200<<20, s.Retained != nil && *s.Retained < 300<<20, "the slot lags", check.SlotLagging)
	}
	// A slot without pending changes is held back too, from the next change on.
	waits := f.Settings["synchronized_standby_slots"] != ""
	add(waits, true, "standbys are waited for", check.SlotHeldBack)
	unknown := o.facts.Slot != nil && o.facts.Slot.Active || o.muchToRead() || o.login != nil || waits || w.pooler != nil
	add(unknown, true, "the order could not be tried", check.PublicationAfterSlotSuspected)
	add(w.plan.unreadable && f.Publication != nil && f.Publication.AllTables, f.Role != nil && f.Role.Superuser || w.scene.Choices["role"] == "sets another role that may read", "a table can't be read", check.TablesUnreadable, notChecked)
	hidden := w.scene.Choices["database"] == "settings not readable" || w.scene.Choices["database"] == "roles and databases not readable" && o.login != nil
	add(hidden || w.scene.Choices["obstacle"] != "", true, "settings can't be read", notChecked)
	return all
}

// tableTroubles are about one table.
func (o *observation) tableTroubles(t tableObservation) []trouble {
	var all []trouble
	add := func(what string, codes ...check.Code) {
		all = append(all, trouble{what: "table " + t.tag + ": " + what, codes: codes, table: t.tag})
	}
	for operation, err := range t.failed {
		add("the application's "+operation+" fails: "+err.Error(), statementCodes(err)...)
	}
	for operation, why := range t.lost {
		switch {
		case isMissing(o.facts.Publication, operation): // said of the publication
		case strings.HasPrefix(operation, "pending"):
			all = append(all, trouble{what: "table " + t.tag + ": a change that was waiting did not come", codes: []check.Code{check.PublicationAfterSlot}})
		default:
			add(operation + ": " + why)
		}
	}
	switch {
	case t.nameless:
		add("deletes come without the key", identityNotPublished)
	case isMissing(o.facts.Publication, "delete"):
		all = append(all, trouble{what: "table " + t.tag + ": updates may come without the key", codes: []check.Code{identityNotPublished}, table: t.tag, optional: true})
	case o.login != nil, o.start != nil:
		all = append(all, trouble{what: "table " + t.tag + ": deletes could not be seen", codes: []check.Code{identityNotPublished}, table: t.tag, optional: true})
	}
	p := o.facts.Publication
	if t.root && p != nil && p.ViaRoot != nil && !*p.ViaRoot {
		all = append(all, trouble{what: "table " + t.tag + ": its changes come under its partitions' names", codes: []check.Code{check.PublicationNotViaRoot}})
	} else if t.root {
		for operation, name := range t.renamed {
			add(operation + " comes as " + name)
		}
	}
	for _, c := range t.copies {
		switch {
		case c.err != nil && strings.Contains(c.err.Error(), "row-level security"), c.err == nil && c.rows < c.want:
			add("a copy of "+c.relation+" lacks rows", rowSecurityActive)
		case stateOf(c.err) == "42501" && strings.Contains(c.err.Error(), "schema public"): // said once for all tables
			all = append(all, trouble{what: "a copy of " + c.relation + " fails: " + c.err.Error(), codes: []check.Code{check.TablesUnreadable}}, uncounted(c.relation, t.tag))
		case stateOf(c.err) == "42501":
			add("a copy of "+c.relation+" fails: "+c.err.Error(), check.TablesUnreadable)
			all = append(all, uncounted(c.relation, t.tag))
		case c.err != nil:
			all = append(all, trouble{what: "a copy fails: " + c.err.Error(), codes: []check.Code{check.DecodingFailed}, optional: true})
		}
	}
	return all
}

// uncounted is what may be wrong with a copy that was not allowed.
func uncounted(relation, tag string) trouble {
	return trouble{what: "a copy of " + relation + " could not be counted", codes: []check.Code{rowSecurityActive}, table: tag, optional: true}
}

func statementCodes(err error) []check.Code {
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return nil
	case e.Code == "55000":
		return []check.Code{check.ReplicaIdentityMissing}
	case strings.Contains(e.Detail, "WHERE expression"):
		return []check.Code{rowFilterOutsideIdentity}
	case e.Code == "42P10":
		return []check.Code{identityNotPublished}
	}
	return nil
}
