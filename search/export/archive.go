package export

import (
	"archive/zip"
	"bufio"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/scopegate/scopegate/search"
)

// archive writes a zip with one file in it.
type archive struct {
	Writer

	packer *packer
}

var _ Writer = (*archive)(nil)

func newArchive(w io.Writer, o Options) (*archive, error) {
	p := newPacker(w)
	method := zip.Deflate
	if o.Format.Packed() {
		method = zip.Store
	}
	member, err := p.begin(&zip.FileHeader{Name: o.Member, Method: method, Modified: o.Modified})
	if err != nil {
		return nil, err
	}
	o.Member = ""
	file, err := New(member, o)
	if err != nil {
		return nil, err
	}
	return &archive{Writer: file, packer: p}, nil
}

// Write implements Writer.
func (a *archive) Write(rows []search.Row) error {
	if err := a.Writer.Write(rows); err != nil {
		return err
	}
	return a.packer.zip.Flush()
}

// Finish implements Writer.
func (a *archive) Finish() error {
	if err := a.Writer.Finish(); err != nil {
		return err
	}
	return a.packer.Close()
}

// packer writes zip archives. For a file over 4 GiB, zip.Writer alone would write
// the header of the old format at the start, and that of the large format only at
// the end. Excel regards such a workbook as broken. packer writes from the start
// that every file may be large.
type packer struct {
	zip    *zip.Writer
	member *member
}

// newPacker gives zip.Writer a large buffer, which it uses instead of its own small
// one.
func newPacker(w io.Writer) *packer {
	return &packer{zip: zip.NewWriter(bufio.NewWriterSize(w, flushAt))}
}

// zip64 is the version of the format that supports large files (APPNOTE.TXT,
// section 4.4.3.2).
const zip64 = 45

// Bits of zip.FileHeader.Flags (APPNOTE.TXT, section 4.4.4).
const (
	sizesBehind = 0x8
	nameInUTF8  = 0x800
)

// begin begins a file, and ends the previous one.
func (p *packer) begin(header *zip.FileHeader) (io.Writer, error) {
	if err := p.end(); err != nil {
		return nil, err
	}
	header.ReaderVersion, header.CreatorVersion = zip64, zip64
	header.Flags = sizesBehind | nameInUTF8
	header.ModifiedDate, header.ModifiedTime = dosTime(header.Modified) //nolint:staticcheck // CreateRaw does not use Modified
	raw, err := p.zip.CreateRaw(header)
	if err != nil {
		return nil, err
	}
	p.member = &member{header: header, sum: crc32.NewIEEE(), packed: counter{to: raw}}
	p.member.to = &p.member.packed
	if header.Method == zip.Deflate {
		// BestSpeed: better compression costs more time than it saves on most
		// networks.
		packer, err := flate.NewWriter(&p.member.packed, flate.BestSpeed)
		if err != nil {
			return nil, err
		}
		p.member.to, p.member.deflate = packer, packer
	}
	return p.member, nil
}

// dosTime converts a time to zip's form (APPNOTE.TXT, section 4.4.6): two-second
// steps since 1980. For earlier times, and for the zero time, it returns zeros.
func dosTime(t time.Time) (date, clock uint16) {
	if t.Year() < 1980 {
		return 0, 0
	}
	return uint16(t.Day() + int(t.Month())<<5 + (t.Year()-1980)<<9),
		uint16(t.Second()/2 + t.Minute()<<5 + t.Hour()<<11)
}

// end finishes the current file: CreateRaw requires the sizes and the checksum.
func (p *packer) end() error {
	m := p.member
	if m == nil {
		return nil
	}
	p.member = nil
	if m.deflate != nil {
		if err := m.deflate.Close(); err != nil {
			return err
		}
	}
	const most = 1<<32 - 1
	h := m.header
	h.CRC32 = m.sum.Sum32()
	h.UncompressedSize64, h.CompressedSize64 = m.size, m.packed.n
	h.UncompressedSize, h.CompressedSize = uint32(min(m.size, most)), uint32(min(m.packed.n, most)) //nolint:staticcheck // CreateRaw writes these
	return nil
}

// Close ends the archive.
func (p *packer) Close() error {
	if err := p.end(); err != nil {
		return err
	}
	return p.zip.Close()
}

// member is one file of an archive.
type member struct {
	header  *zip.FileHeader
	sum     hash.Hash32
	size    uint64
	to      io.Writer
	deflate *flate.Writer // nil: stored without compression
	packed  counter
}

// Write implements io.Writer.
func (m *member) Write(b []byte) (int, error) {
	_, _ = m.sum.Write(b) // never fails, see hash.Hash
	m.size += uint64(len(b))
	return m.to.Write(b)
}

type counter struct {
	to io.Writer
	n  uint64
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	c.n += uint64(len(b))
	return c.to.Write(b)
}
