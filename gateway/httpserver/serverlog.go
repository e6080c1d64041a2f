package httpserver

import (
	"context"
	"log"
	"log/slog"
	"net/netip"
	"strings"
)

// serverLog makes the log of an http.Server: what clients get wrong beneath
// HTTP, above all. Their addresses are left out, as in all logs, and the text
// is one attribute of a line: nothing in it can begin another.
func serverLog(logger *slog.Logger) *log.Logger {
	return log.New(serverLogWriter{logger}, "", 0)
}

type serverLogWriter struct{ logger *slog.Logger }

// Write gets one whole message at a time, see log.Logger.
func (w serverLogWriter) Write(message []byte) (int, error) {
	text := strings.TrimSpace(string(message))
	level := slog.LevelWarn
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level = slog.LevelDebug // of anybody's making, as often as they like
	}
	w.logger.LogAttrs(context.Background(), level, "server", slog.String("cause", withoutAddresses(text)))
	return len(message), nil
}

// withoutAddresses replaces each word that is an address, with a port or
// without.
func withoutAddresses(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		for _, part := range strings.Split(word, "->") { // as net.OpError writes a connection
			bare := strings.TrimRight(part, ":,;")
			_, portErr := netip.ParseAddrPort(bare)
			if _, err := netip.ParseAddr(bare); err == nil || portErr == nil {
				words[i] = strings.Replace(words[i], bare, "(address)", 1)
			}
		}
	}
	return strings.Join(words, " ")
}
