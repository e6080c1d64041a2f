// Package reason puts the causes of failures into words for logs, which hold no
// personal data.
//
// The text of an error may repeat what was asked or stored: a search term in a
// query that an engine refused, a name in a path of a URL, the address of a
// caller. So only the kinds of errors that Of lists have their text written, or
// words of ours in its place; of all others the types are named. An error of our
// own whose text is safe is a Text.
//
// It depends on none of our packages.
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

// Text is an error whose text holds no personal data: it is a constant, or made
// of words of a fixed vocabulary and of what the operator has configured.
type Text string //nolint:errname // it is a text first, which an error may wrap

// Error is the text.
func (t Text) Error() string { return string(t) }

// Of is the cause of an error, for a log line. It is "" for no error.
func Of(err error) string {
	if words, ok := Known(err); ok {
		return words
	}
	return types(err)
}

// Known is the cause of an error if it is, or wraps, one whose words are safe.
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

// wordsOf are the words for this very error, "" for one of no known kind.
func wordsOf(err error) string {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by Known
	case Text:
		return string(e)
	case *fs.PathError: // of our own files: nobody names one in a request
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

// networkWords name the other end only where we have called it: one who has
// called us is a person's.
func networkWords(e *net.OpError) string {
	what, err := e.Op, e.Err
	if e.Op == "dial" && e.Addr != nil {
		what = "connect to " + e.Addr.String()
	}
	if call, ok := err.(*os.SyscallError); ok { //nolint:errorlint // that very error names the call again
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
	switch e := err.(type) { //nolint:errorlint // the tree is walked by Known
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
		if err == known.is { //nolint:errorlint // the tree is walked by Known
			return known.words
		}
	}
	// The errors that net/http makes of text name no type.
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

// types names the types in an error's chain, outermost first.
func types(err error) string {
	var names []string
	for len(names) < 8 && err != nil {
		names = append(names, fmt.Sprintf("%T", err))
		if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
			err = many.Unwrap()[len(many.Unwrap())-1] // the cause comes last by custom
			continue
		}
		err = errors.Unwrap(err)
	}
	return strings.Join(names, " > ")
}
