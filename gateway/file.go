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

// fileForm is the form in which sessions are answered.
type fileForm params.File

// download reports whether the answer is a file to keep, not one to read.
func (f fileForm) download() bool { return f.Format != export.JSON || f.Name != "" || f.Zip }

// zone is that of dates in it.
func (f fileForm) zone() *time.Location {
	if f.Timezone == 0 {
		return time.UTC
	}
	return time.FixedZone("", 60*f.Timezone)
}

// name is its name without extension.
func (f fileForm) name(now time.Time) string {
	if name := safeName(f.Name, f.Format.Extension(), zipExtension); name != "" {
		return name
	}
	return "chat-sessions-" + now.In(f.zone()).Format("20060102-150405")
}

const zipExtension = ".zip"

// options are those of its writer.
func (f fileForm) options(fields session.FieldSet, now time.Time) export.Options {
	o := export.Options{Format: f.Format, Fields: fields, Zone: f.zone()}
	if f.Zip {
		o.Member, o.Modified = f.name(now)+f.Format.Extension(), now.UTC()
	}
	return o
}

// mediaType is its Content-Type.
func (f fileForm) mediaType() string {
	if f.Zip {
		return export.ZipType
	}
	return f.Format.MediaType()
}

// packed reports whether a content coding would gain nothing.
func (f fileForm) packed() bool { return f.Zip || f.Format.Packed() }

// describe sets the headers that say what it is.
func (f fileForm) describe(h http.Header, now time.Time) {
	h.Set("Content-Type", f.mediaType())
	extension := f.Format.Extension()
	if f.Zip {
		extension = zipExtension
	}
	h.Set("Content-Disposition", attachment(f.name(now)+extension))
}

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
	made.etagSource = fmt.Appendf(body.joined(), "%q", []any{req.File.Format, req.File.Zip, req.File.Name, req.File.Timezone})
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
	made.body = newContent(bytes.Clone(file.Bytes())) // without what the buffer has to spare
	return made, err
}

// maxName bounds a file's name in bytes: file systems take 255, of which an
// extension and what a browser adds to tell two downloads apart need some.
const maxName = 200

// safeName makes a name, to which an extension is added, of what a caller asked
// for; "" when nothing is left of it. Whatever could lead out of a folder, end a
// header, or show as another name than it is becomes an underscore.
func safeName(asked string, extensions ...string) string {
	name := strings.Map(func(r rune) rune {
		if unsafeInName(r) {
			return '_'
		}
		return r
	}, asked)
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
	// Dots in front hide a file or mean a folder; at the end Windows drops them.
	return strings.Trim(name, ". ")
}

// unsafeInName knows what is a separator or a wildcard somewhere, quotes, and
// what is not seen, direction marks included.
func unsafeInName(r rune) bool {
	return strings.ContainsRune("/\\:*?\"'`<>|\u2044\u2215\uFFFD", r) || unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || unicode.IsSpace(r) && r != ' '
}

// attachment is the value of Content-Disposition (RFC 6266, section 4) for a safe
// name: filename for those who know ASCII only, and filename* for all others.
func attachment(name string) string {
	return `attachment; filename="` + asciiName(name) + `"; filename*=UTF-8''` + percentEncode(name, attrChar)
}

// attrChar reports whether filename* may hold the byte as it is (RFC 8187, section
// 3.2.1).
func attrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}

// asciiName has an underscore for what is not ASCII, and for a percent sign, which
// some take for the start of an escape (RFC 6266, appendix D).
func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '%' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
}
