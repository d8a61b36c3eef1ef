package vault

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/headgate/headgate/internal/database"
)

// document is the text of a secret: the form that Secrets Manager's user guide
// gives for PostgreSQL, with the primary's login in addition.
type document struct {
	login
	Primary *login `json:"primary,omitempty"`
}

type login struct {
	Engine   string `json:"engine"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Username string `json:"username"`
	Password string `json:"password"`
	DBName   string `json:"dbname"`
}

func newLogin(e database.Endpoint, p database.Password) login {
	return login{
		Engine: "postgres", Host: e.Hostname, Port: e.Port,
		Username: e.Username, Password: p.Reveal(), DBName: e.Database,
	}
}

// encode returns the text of d's secret. It is deterministic. Errors quote no
// value.
func encode(d database.Database, p database.Passwords) (string, error) {
	doc := document{login: newLogin(d.Endpoint, p.Main)}
	if d.Primary != nil {
		primary := newLogin(*d.Primary, p.Primary)
		doc.Primary = &primary
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return "", errors.New("encode secret: unsupported value")
	}
	return string(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), nil
}

// decode returns the passwords in a secret's text. Errors do not quote it.
func decode(s string) (database.Passwords, error) {
	var doc document
	if err := json.Unmarshal([]byte(s), &doc); err != nil {
		return database.Passwords{}, errors.New("decode secret: not in the form of a database secret")
	}
	p := database.Passwords{Main: database.Password(doc.Password)}
	if doc.Primary != nil {
		p.Primary = database.Password(doc.Primary.Password)
	}
	return p, nil
}
