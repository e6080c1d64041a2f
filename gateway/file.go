package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search"
	"github.com/scopegate/scopegate/search/export"
	"github.com/scopegate/scopegate/session"
)

// fileForm is the form of an answer with sessions: format, name, zip and time zone.
type fileForm params.File

// download reports whether the answer is a file to save, and not plain JSON.
func (f fileForm) download() bool { return f.Format != export.JSON || f.Name != "" || f.Zip }

// zone is the time zone of its dates.
func (f fileForm) zone() *time.Location { return f.Zone.Location() }

// name is the file's name without extension; now is in the default name.
func (f fileForm) name(now time.Time) string {
	if name := safeName(f.Name, f.Format.Extension(), zipExtension); name != "" {
		return name
	}
	return "chat-sessions-" + now.In(f.zone()).Format("20060102-150405")
}

const zipExtension = ".zip"

// options are those of the writer of the file.
func (f fileForm) options(fields session.FieldSet, now time.Time) export.Options {
	o := export.Options{Format: f.Format, Fields: fields, Zone: f.zone(), Labels: f.Labels}
	if f.Zip {
		o.Member, o.Modified = f.name(now)+f.Format.Extension(), now.UTC()
	}
	return o
}

// mediaType is the Content-Type of the file.
func (f fileForm) mediaType() string {
	if f.Zip {
		return export.ZipType
	}
	return f.Format.MediaType()
}

// packed reports whether the file is compressed already, so that a content coding
// would gain nothing.
func (f fileForm) packed() bool { return f.Zip || f.Format.Packed() }

// describe sets the headers with the file's type and name.
func (f fileForm) describe(h http.Header, now time.Time) {
	h.Set("Content-Type", f.mediaType())
	extension := f.Format.Extension()
	if f.Zip {
		extension = zipExtension
	}
	h.Set("Content-Disposition", attachment(f.name(now)+extension))
}

// Headers with the size of a file's content. In an export those that are not known
// before the last row are trailers.
const (
	headerTotal = "X-Total-Count"     // sessions that match
	headerRows  = "X-Row-Count"       // rows in the file
	headerCut   = "X-Truncated-Cells" // cells that were cut, being too long for the format
)

// pageAnswer makes the answer of a page in the form that was asked for. The whole
// file is made before it is sent, so that it has a validator and a length.
func (a *api) pageAnswer(req params.SearchRequest, r search.Result, now time.Time) (answer, error) {
	body := searchBody(req.Query, r)
	if !fileForm(req.File).download() {
		return answer{body: body}, nil
	}
	form := fileForm(req.File)
	made := answer{file: &form, header: http.Header{}}
	made.etagSource = fmt.Appendf(body.joined(), "%q", []any{req.File.Format, req.File.Zip, req.File.Name, req.File.Zone.String()})
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
	made.body = newContent(bytes.Clone(file.Bytes())) // without spare capacity
	return made, err
}

// maxName bounds a file's name in bytes. File systems take 255; the rest is for the
// extension and for the number that a browser appends to a second download.
const maxName = 200

// safeName makes a file's name, without extension, from the text of a caller; ""
// when nothing is left. Characters that could lead out of a folder, end a header, or
// make the name look like another one become underscores.
func safeName(text string, extensions ...string) string {
	name := strings.Map(func(r rune) rune {
		if unsafeInName(r) {
			return '_'
		}
		return r
	}, text)
	for _, extension := range extensions {
		if cut := len(name) - len(extension); cut > 0 && strings.EqualFold(name[cut:], extension) {
			name = name[:cut]
		}
	}
	if len(name) > maxName {
		end := maxName
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end]
	}
	// Leading dots hide a file or name a folder; Windows drops those at the end.
	return strings.Trim(name, ". ")
}

// unsafeInName reports whether the character is a separator or wildcard on some
// system, a quote, or invisible, such as a direction mark.
func unsafeInName(r rune) bool {
	return strings.ContainsRune("/\\:*?\"'`<>|\u2044\u2215\uFFFD", r) || unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || unicode.IsSpace(r) && r != ' '
}

// attachment is the value of Content-Disposition (RFC 6266, section 4) for a safe
// name: filename for clients that read ASCII only, and filename* for all others.
func attachment(name string) string {
	return `attachment; filename="` + asciiName(name) + `"; filename*=UTF-8''` + percentEncode(name, attrChar)
}

// attrChar reports whether filename* may hold the byte as it is (RFC 8187, section
// 3.2.1).
func attrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}

// asciiName replaces characters that are not ASCII by underscores, and percent signs
// too: some clients decode them (RFC 6266, appendix D).
func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '%' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
}
