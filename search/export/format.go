package export

// Format is the form of a file.
type Format string

// The formats.
const (
	JSON     Format = "JSON"      // {"count": …, "items": […]}, as the search answers
	NDJSON   Format = "NDJSON"    // one session a line
	CSV      Format = "CSV"       // RFC 4180, UTF-8 without BOM, values as they are
	CSVExcel Format = "CSV_EXCEL" // for Excel: BOM, semicolons, no formulas
	XLSX     Format = "XLSX"      // ECMA-376, typed cells
)

// ZipType is the media type of an archive.
const ZipType = "application/zip"

// form is what a format's files are called and sent as.
type form struct {
	format    Format
	extension string
	mediaType string
	packed    bool // the format itself is compressed
}

// forms are all formats, in their order. The rows are unkeyed, so that none can
// lack a part.
func forms() []form {
	return []form{
		{JSON, ".json", "application/json; charset=utf-8", false},
		{NDJSON, ".ndjson", "application/x-ndjson", false},
		{CSV, ".csv", "text/csv; charset=utf-8; header=present", false}, // RFC 4180, section 3
		{CSVExcel, ".csv", "text/csv; charset=utf-8; header=present", false},
		{XLSX, ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", true},
	}
}

func (f Format) form() form {
	all := forms()
	for _, row := range all {
		if row.format == f {
			return row
		}
	}
	return all[0]
}

// Formats lists all formats.
func Formats() []Format {
	all := forms()
	formats := make([]Format, len(all))
	for i, row := range all {
		formats[i] = row.format
	}
	return formats
}

// Extension returns the extension of a file's name, including the dot.
func (f Format) Extension() string { return f.form().extension }

// MediaType returns the file's Content-Type.
func (f Format) MediaType() string { return f.form().mediaType }

// Packed reports whether the format itself is compressed.
func (f Format) Packed() bool { return f.form().packed }
