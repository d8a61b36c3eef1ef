// Package apireference is a page that shows the OpenAPI document to people, with
// Swagger UI. The page is complete in itself: it loads nothing but the document
// that the same server serves.
package apireference

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5/static"

	"github.com/headgate/headgate/internal/httpapi"
)

// start shows the document that is served next to the page.
//
//go:embed start.js
var start string

// Show returns the endpoint of GET /api/reference. The page is made when it is asked
// for the first time.
func Show() httpapi.Endpoint {
	page := sync.OnceValues(newPage)
	return func(context.Context, *httpapi.Request) (httpapi.Response, error) {
		p, err := page()
		return httpapi.Response{Status: http.StatusOK, Body: p}, err
	}
}

func newPage() (httpapi.Page, error) {
	style, styleErr := asset("swagger-ui.css.gz")
	script, scriptErr := asset("swagger-ui-bundle.js.gz")
	if err := errors.Join(styleErr, scriptErr); err != nil {
		return httpapi.Page{}, err
	}
	script, err := inlineScript(script + "\n" + start)
	if err != nil {
		return httpapi.Page{}, err
	}
	return httpapi.Page{
		Title: "headgate: API reference", Style: style, Script: script,
		Body: `<div id="reference"></div><noscript>The reference needs JavaScript. <a href="openapi.json">The OpenAPI document</a> does not.</noscript>`,
	}, nil
}

// asset returns a file of Swagger UI.
func asset(name string) (string, error) {
	compressed, err := static.FS.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(text), nil
}

// inlineScript returns a script that can stand in an HTML document. "<!--" would
// begin a comment there, which is written with an escape in the script's strings and
// regular expressions.
func inlineScript(script string) (string, error) {
	if strings.Contains(strings.ToLower(script), "</script") {
		return "", errors.New("the script contains the end of a script")
	}
	return strings.ReplaceAll(script, "<!--", `\x3c!--`), nil
}
