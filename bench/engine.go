package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// engine is where the gateway keeps sessions, with what a run has to do about
// it beside the gateway.
type engine struct {
	name     string
	settings []string // of the gateway and its import
	// documents is how many sessions there are, as far as is known.
	documents func(ctx context.Context) (int, error)
	// renew makes it empty and ready for an import.
	renew func(ctx context.Context) error
	// rest waits until it is at rest.
	rest func(ctx context.Context) error
	// forget drops what it keeps of earlier searches.
	forget func(ctx context.Context) error
}

func nothing(context.Context) error { return nil }

func elasticEngine(e elastic, scopegate program) engine {
	settings := []string{
		"engine=elasticsearch", fmt.Sprintf("elasticsearch.addresses=[%q]", e.url),
		"elasticsearch.index=" + e.index, "elasticsearch.replicas=0",
	}
	return engine{
		name: "Elasticsearch", settings: settings,
		documents: e.documents, rest: e.rest, forget: e.forget,
		renew: func(ctx context.Context) error {
			if err := e.remove(ctx); err != nil {
				return err
			}
			return scopegate.run(ctx, with(settings, "index", "create")...)
		},
	}
}

// sqliteEngine keeps nothing of earlier searches that a new process would have.
func sqliteEngine(dir string, sessions int) engine {
	return engine{
		name: "SQLite", settings: []string{"engine=sqlite", "sqlite.dir=" + dir},
		rest: nothing, forget: nothing,
		renew: func(context.Context) error { return os.RemoveAll(dir) },
		documents: func(context.Context) (int, error) {
			entries, err := os.ReadDir(dir)
			if len(entries) == 0 || err != nil {
				return 0, ignoreMissing(err)
			}
			return sessions, nil // the mark of a finished import tells the rest
		},
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// cacheFolder is the folder that is kept between runs.
func cacheFolder() (string, error) {
	base, err := os.UserCacheDir() // $XDG_CACHE_HOME or ~/.cache
	return filepath.Join(base, "scopegate", "bench"), err
}
