// Package reason describes the causes of failures for logs, without personal data.
//
// The text of an error may repeat parts of a request or of stored data: a search
// term in a query that an engine refused, a name in the path of a URL, the address
// of a caller. So only for the kinds of errors that Of lists does a log contain
// their text, or words of ours instead; for all other errors it contains the names
// of their types. An error of our own with a safe text is a Text.
//
// The package depends on no other package of ours.
package reason

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// Text is an error whose text contains no personal data: it is a constant, or
// consists of words of a fixed vocabulary and of configured values.
type Text string //nolint:errname // it is mainly a text, which an error may wrap

// Error returns the text.
func (t Text) Error() string { return string(t) }

// Of returns the cause of an error for a log line, "" for nil.
func Of(err error) string {
	if words, ok := Known(err); ok {
		return words
	}
	return types(err)
}

// Known returns the cause of an error if it is, or wraps, one with safe words;
// otherwise ok is false.
func Known(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	if words := wordsOf(err); words != "" {
		return words, true
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range many.Unwrap() {
			if words, ok := Known(e); ok {
				all = append(all, words)
			}
		}
		return strings.Join(all, "; "), len(all) > 0
	}
	return Known(errors.Unwrap(err))
}

// wordsOf returns the words for this error itself, without the errors that it
// wraps; "" for an unknown kind.
func wordsOf(err error) string {
	switch e := err.(type) { //nolint:errorlint // Known walks the tree of errors
	case Text:
		return string(e)
	case *fs.PathError: // of our own files: no request names a file
		return join(e.Op+" "+e.Path, e.Err)
	case *os.LinkError:
		return join(e.Op+" "+e.Old+" "+e.New, e.Err)
	case *os.SyscallError:
		return join(e.Syscall, e.Err)
	case *net.DNSError:
		return dnsWords(e)
	case *net.OpError:
		return networkWords(e)
	case syscall.Errno:
		return e.Error()
	case interface{ RedisError() }: // an answer of Redis, see redis.Error
		return redisWords(err.Error())
	}
	if words := tlsWords(err); words != "" {
		return words
	}
	return sentinelWords(err)
}

func join(what string, err error) string {
	if words, ok := Known(err); ok {
		return what + ": " + words
	}
	return what
}

// networkWords names the other end only for connections that we opened: the address
// of a caller is personal data.
func networkWords(e *net.OpError) string {
	what, err := e.Op, e.Err
	if e.Op == "dial" && e.Addr != nil {
		what = "connect to " + e.Addr.String()
	}
	if call, ok := err.(*os.SyscallError); ok { //nolint:errorlint // only this error itself names the call again
		err = call.Err
	}
	return join(what, err)
}

func dnsWords(e *net.DNSError) string {
	switch {
	case e.IsNotFound:
		return "no such host: " + e.Name
	case e.IsTimeout:
		return "looking up the host timed out: " + e.Name
	}
	return "the host cannot be looked up: " + e.Name
}

func tlsWords(err error) string {
	switch e := err.(type) { //nolint:errorlint // Known walks the tree of errors
	case x509.UnknownAuthorityError:
		return "certificate signed by an unknown authority"
	case x509.HostnameError:
		return "certificate is not for the host name " + e.Host
	case x509.CertificateInvalidError:
		if e.Reason == x509.Expired {
			return "certificate has expired or is not yet valid"
		}
		return "certificate is not valid"
	case x509.SystemRootsError:
		return "the system's authorities cannot be read"
	case tls.RecordHeaderError:
		return "the other end does not speak TLS"
	case tls.AlertError:
		return e.Error() // of RFC 8446, section 6
	}
	return ""
}

func sentinelWords(err error) string {
	for _, known := range []struct {
		is    error
		words string
	}{
		{context.DeadlineExceeded, "deadline exceeded"},
		{context.Canceled, "cancelled"},
		{os.ErrDeadlineExceeded, "timeout"},
		{fs.ErrClosed, "file is closed"},
		{net.ErrClosed, "connection is closed"},
		{io.ErrUnexpectedEOF, "connection ended early"},
		{io.ErrShortWrite, "short write"},
		{io.EOF, "connection was closed by the other end"},
		{http.ErrSchemeMismatch, "the other end does not speak TLS"},
		{http.ErrAbortHandler, "transfer broken off"},
	} {
		if err == known.is { //nolint:errorlint // Known walks the tree of errors
			return known.words
		}
	}
	// The errors that net/http creates from text have no type of their own.
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() && errors.Unwrap(err) == nil {
		return "timeout"
	}
	switch text := err.Error(); {
	case errors.Unwrap(err) != nil:
	case strings.Contains(text, "malformed HTTP response"):
		return "the other end does not speak HTTP, or wants TLS"
	case strings.Contains(text, "server closed idle connection"):
		return "connection was closed by the other end"
	}
	return ""
}

// types returns the names of the types in an error's chain, outermost first.
func types(err error) string {
	var names []string
	for len(names) < 8 && err != nil {
		names = append(names, fmt.Sprintf("%T", err))
		if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
			err = many.Unwrap()[len(many.Unwrap())-1] // by convention the cause is the last one
			continue
		}
		err = errors.Unwrap(err)
	}
	return strings.Join(names, " > ")
}
