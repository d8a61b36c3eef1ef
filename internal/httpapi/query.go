package httpapi

import (
	"net/url"
	"strings"
)

// ParseQuery returns the parameters of a query as API Gateway's events have them. No part
// of a query is left out: what can't be decoded stays as it was sent, so that it is
// refused and the request is not done without it.
func ParseQuery(raw string) map[string][]string {
	query := map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = decoded(name)
		query[name] = append(query[name], decoded(value))
	}
	return query
}

// decoded returns the text without its escapes, or as it is where they are malformed.
func decoded(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
