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

// Formats lists all formats.
func Formats() []Format { return []Format{JSON, NDJSON, CSV, CSVExcel, XLSX} }

// Extension returns the extension of a file's name, including the dot.
func (f Format) Extension() string {
	switch f {
	case NDJSON:
		return ".ndjson"
	case CSV, CSVExcel:
		return ".csv"
	case XLSX:
		return ".xlsx"
	case JSON:
	}
	return ".json"
}

// MediaType returns the file's Content-Type.
func (f Format) MediaType() string {
	switch f {
	case NDJSON:
		return "application/x-ndjson"
	case CSV, CSVExcel:
		return "text/csv; charset=utf-8; header=present" // RFC 4180, section 3
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case JSON:
	}
	return "application/json; charset=utf-8"
}

// Packed reports whether the format itself is compressed.
func (f Format) Packed() bool { return f == XLSX }
