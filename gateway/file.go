package gateway

import (
	"net/http"
	"time"

	"github.com/scopegate/scopegate/session"

	"github.com/scopegate/scopegate/gateway/params"
	"github.com/scopegate/scopegate/search/export"
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
