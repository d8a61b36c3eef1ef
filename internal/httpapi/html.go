package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
)

// Page is the body of a response that is a page for people. Only Style and Script of
// the page are applied and run, and only the server of the page may be asked.
type Page struct {
	Title string
	// Body is HTML.
	Body string
	// Style is CSS, Script JavaScript; neither contains the end of its element. Both
	// may be empty.
	Style, Script string
}

func (p Page) html() string {
	text := "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" + html.EscapeString(p.Title) + "</title>\n"
	if p.Style != "" {
		text += "<style>" + p.Style + "</style>\n"
	}
	text += "<body>\n" + p.Body + "\n"
	if p.Script != "" {
		text += "<script>" + p.Script + "</script>\n"
	}
	return text
}

// policy returns the content security policy, which names the style and the script
// by their hashes. Images are those within the style.
func (p Page) policy() string {
	return "default-src 'none'; style-src " + source(p.Style) + "; script-src " + source(p.Script) +
		"; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// source returns the source expression of an element with that text.
func source(text string) string {
	if text == "" {
		return "'none'"
	}
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
