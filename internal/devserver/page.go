package devserver

import (
	_ "embed"
	"net/http"

	"github.com/headgate/headgate/internal/httpapi"
)

var (
	//go:embed page.html
	pageBody string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// page is what a person who opens the server's URL gets.
func page() httpapi.Response {
	return httpapi.Response{Status: http.StatusOK, Body: httpapi.Page{Title: "headgate", Body: pageBody, Style: pageStyle, Script: pageScript}}
}

// isPage reports whether a browser asks for the page.
func isPage(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == "/" }
