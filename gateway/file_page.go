package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
)

// Headers that say how much is in a file. Those of an export that are known
// behind its last row only are trailers.
const (
	headerTotal = "X-Total-Count"     // sessions that match
	headerRows  = "X-Row-Count"       // rows that are in it
	headerCut   = "X-Truncated-Cells" // cells that were too long
)

// pageAnswer puts one page into the form that was asked for. It is small enough
// to be made before it is sent, so that it has a validator and a length.
func (a *api) pageAnswer(req params.SearchRequest, r search.Result, now time.Time) (answer, error) {
	body := searchBody(req.Query, r)
	if !fileForm(req.File).download() {
		return answer{body: body}, nil
	}
	form := fileForm(req.File)
	made := answer{file: &form, header: http.Header{}}
	made.stands = fmt.Appendf(body.joined(), "%q", []any{req.File.Format, req.File.Zip, req.File.Name, req.File.Timezone})
	o := form.options(req.Query.Fields, now)
	o.Temp = a.exports.Temp
	if !req.Query.WithoutCount {
		o.Count = &r.Count.Total
		made.header.Set(headerTotal, strconv.FormatInt(r.Count.Total, 10))
	}
	made.header.Set(headerRows, strconv.Itoa(len(r.Page.Rows)))
	if req.Query.WithoutItems {
		made.body = body
		return made, nil
	}
	var file bytes.Buffer
	w, err := export.New(&file, o)
	if err != nil {
		return answer{}, err
	}
	err = errors.Join(w.Write(r.Page.Rows), w.Finish(), w.Close())
	if req.File.Format == export.XLSX {
		made.header.Set(headerCut, strconv.FormatInt(w.CutCells(), 10))
	}
	made.body = whole(bytes.Clone(file.Bytes())) // without what the buffer has to spare
	return made, err
}
