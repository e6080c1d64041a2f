package gateway

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/tenancy"
)

// session answers GET /api/v1/sessions/{id}: from all that the caller may ever
// see, so that a link to a session works whatever companies are selected.
func (a *api) session(c *gin.Context) error {
	ctx, x := c.Request.Context(), exchangeOf(c)
	fields, err := params.Item(c.Request.URL.RawQuery)
	id, idErr := sessionID(c.Param("id"))
	if faults := append(faultsIn(idErr), faultsIn(err)...); len(faults) > 0 {
		return faults
	}
	scope, err := a.resolve(ctx, x, func() (tenancy.Scope, error) { return a.directory.Supervised(x.principal) })
	if err != nil {
		return err
	}
	result, parts, err := a.ask(c, scope, search.Query{
		Filter: search.Filter{SessionID: id},
		Sort:   search.DefaultSort(), Fields: fields, Limit: 1, WithoutCount: true,
	})
	if err != nil {
		return err
	}
	if len(result.Page.Rows) == 0 {
		return errNoSession
	}
	return a.reply(c, answer{body: whole(result.Page.Rows[0].JSON), parts: parts})
}

// sessionID decodes an id as it stands in the path. One that cannot be in any
// store is the parameter's fault.
func sessionID(escaped string) (string, error) {
	id, err := url.PathUnescape(escaped)
	switch {
	case err != nil, !utf8.ValidString(id):
		return "", params.Faults{{Parameter: "id", Message: "must be valid UTF-8"}}
	case strings.ContainsRune(id, 0):
		return "", params.Faults{{Parameter: "id", Message: "must not contain a NUL character"}}
	case id == "":
		// An empty filter would be none, and answer with anybody's session.
		return "", params.Faults{{Parameter: "id", Message: "must not be empty"}}
	}
	return id, nil
}
