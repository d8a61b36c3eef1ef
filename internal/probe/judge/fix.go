package judge

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// remedy is statements that run as one, and the objects whose owners may run them.
type remedy struct {
	statements []string
	objects    []facts.Object
}

func (r *remedy) add(statement string, objects ...facts.Object) {
	r.statements = append(r.statements, statement)
	r.objects = append(r.objects, objects...)
}

// fix returns the statements as a fix, and what a message says of the role that can run
// them if the caller's can't. There is no fix if a name in it can't be printed: a
// database without an encoding can have such names.
func (r remedy) fix(comment string) (fix, who string) {
	sql := strings.Join(r.statements, "; ")
	if sql == "" || strings.ContainsRune(sql, utf8.RuneError) || strings.Contains(sql, `\FFFD`) {
		return "", ""
	}
	return sql + comment, runBy(r.objects)
}

// databaseOwner is the role that the schema public belongs to from 14 on. Nobody can log
// in as it: its one member is the database's owner.
const databaseOwner = "pg_database_owner"

// runBy says which role can run a statement about objects, empty if the caller's can.
func runBy(objects []facts.Object) string {
	var owners []string
	for _, o := range objects {
		if !slices.Contains(owners, o.Owner) {
			owners = append(owners, o.Owner)
		}
	}
	switch {
	case !slices.ContainsFunc(objects, func(o facts.Object) bool { return !o.Owned }):
		return ""
	case len(owners) == 1 && owners[0] == databaseOwner:
		return "; run the fix as the owner of the database, or as a superuser"
	case len(owners) == 1:
		return "; run the fix as role " + quote.Identifier(owners[0]) + ", the owner, or as a superuser"
	}
	return asSuperuser
}

const asSuperuser = "; run the fix as a superuser"

// publicationObject returns the publication with its owner.
func (s *subject) publicationObject() facts.Object {
	p := s.Facts.FoundPublication()
	return facts.Object{Owner: p.Owner, Owned: p.Owned}
}

// role returns the role whose privileges count, as an SQL identifier.
func (s *subject) role() string {
	if s.Facts.Server != nil {
		return quote.Identifier(s.Facts.Server.Role)
	}
	return quote.Identifier(s.endpoint.Username)
}

// identifiers returns names as an SQL list.
func identifiers(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote.Identifier(n)
	}
	return strings.Join(quoted, ", ")
}

// list returns the names of objects as an SQL list.
func list(objects []facts.Object) string { return strings.Join(qualified(objects), ", ") }

// qualified returns the names of objects as SQL identifiers.
func qualified(objects []facts.Object) []string {
	names := make([]string, len(objects))
	for i, o := range objects {
		names[i] = quote.Qualified(o.Name)
	}
	return names
}
