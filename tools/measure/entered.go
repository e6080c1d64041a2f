package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	searches     = 40 // of each kind: less than a minute's budget
	startTimeout = 3 * time.Minute
	askTimeout   = 30 * time.Second
)

// entered lists the files of which a search runs statements that a request for the
// account's companies does not run, so all from the route on, but no middleware: one
// search that the memory tier answers, and one of the same shape that the embedded
// engine answers. It runs the demo with coverage three times, with requests of each
// kind: a statement that ran once more for each of them belongs to the search.
func entered(ctx context.Context, dir string) (hit, miss []string, err error) {
	work, err := os.MkdirTemp("", "measure")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	program := filepath.Join(work, "scopegate")
	build := exec.CommandContext(ctx, "go", "build", "-cover", "-covermode=atomic", "-coverpkg=./...", "-o", program, "./cmd/scopegate")
	build.Dir, build.Stderr = dir, os.Stderr
	if err := build.Run(); err != nil {
		return nil, nil, fmt.Errorf("build: %w", err)
	}
	runs := make([]map[string]int, 0, 3)
	for n, keyword := range []func(int) string{companies, func(int) string { return "weiss" }, func(i int) string { return "an" + strconv.Itoa(i) }} {
		counts := filepath.Join(work, "counts"+strconv.Itoa(n))
		if err := os.Mkdir(counts, 0o700); err != nil {
			return nil, nil, err
		}
		if err := demo(ctx, program, filepath.Join(work, "data"), counts, keyword); err != nil {
			return nil, nil, err
		}
		statements, err := statements(ctx, counts)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, statements)
	}
	return grown(runs[0], runs[1]), grown(runs[0], runs[2]), nil
}

// companies asks for no sessions.
func companies(int) string { return "" }

// demo runs the program, asks it, and ends it.
func demo(ctx context.Context, program, data, counts string, keyword func(int) string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	run := exec.CommandContext(ctx, program, "demo", "--listen", "127.0.0.1:0", "--sessions", "2000", "--data", data)
	run.Env, run.Stderr = append(os.Environ(), "GOCOVERDIR="+counts), os.Stderr
	out, err := run.StdoutPipe()
	if err != nil {
		return err
	}
	if err := run.Start(); err != nil {
		return err
	}
	asked := ask(ctx, out, keyword)
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(asked, err)
	}
	_, _ = io.Copy(io.Discard, out)
	return errors.Join(asked, run.Wait())
}

// The demo prints how to log in, and the address of its page.
var (
	login       = regexp.MustCompile(`TOKEN=\$\(curl -s (\S+) -d '([^']+)'`)
	tokenMember = regexp.MustCompile(`"token":"([^"]+)"`)
	last        = "The data (delete it to start anew)"
)

func ask(ctx context.Context, out io.Reader, keyword func(int) string) error {
	var found []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if match := login.FindStringSubmatch(lines.Text()); match != nil {
			found = match
		}
		if strings.Contains(lines.Text(), last) {
			break
		}
	}
	if found == nil {
		return errors.New("the demo has not said how to log in")
	}
	body, err := do(ctx, http.MethodPost, found[1], found[2], "")
	if err != nil {
		return err
	}
	bearer := tokenMember.FindSubmatch(body)
	if bearer == nil {
		return errors.New("no token came")
	}
	address, err := url.Parse(found[1])
	if err != nil {
		return err
	}
	// The first search of an account does more than those behind it, and the
	// second one of a keyword is a hit.
	questions := []string{"", "weiss", "weiss", "first"}
	for i := range searches {
		questions = append(questions, keyword(i))
	}
	for _, question := range questions {
		address.Path, address.RawQuery = "/api/v1/sessions", url.Values{"showAllSupervised": {"true"}, "keyword": {question}}.Encode()
		if question == "" {
			address.Path, address.RawQuery = "/api/v1/companies", ""
		}
		if _, err := do(ctx, http.MethodGet, address.String(), "", string(bearer[1])); err != nil {
			return err
		}
	}
	return nil
}

func do(ctx context.Context, method, address, body, bearer string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, request.URL.Path, response.Status, answer)
	}
	return answer, err
}

// statements are how often each block of the program ran, by its place.
func statements(ctx context.Context, counts string) (map[string]int, error) {
	profile := filepath.Join(counts, "profile")
	convert := exec.CommandContext(ctx, "go", "tool", "covdata", "textfmt", "-i="+counts, "-o="+profile)
	if out, err := convert.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("covdata: %w: %s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	ran := map[string]int{}
	for line := range bytes.Lines(text) {
		// file:from,to statements count
		if words := strings.Fields(string(line)); len(words) == 3 {
			n, _ := strconv.Atoi(words[2])
			ran[words[0]] += n
		}
	}
	return ran, nil
}

// grown lists the files with a block that ran once more for each search.
func grown(before, after map[string]int) []string {
	files := map[string]bool{}
	for place, n := range after {
		if n-before[place] >= searches {
			file, _, _ := strings.Cut(place, ":")
			_, inside, _ := strings.Cut(strings.TrimPrefix(file, "github.com/"), "/")
			_, inside, _ = strings.Cut(inside, "/")
			files[inside] = true
		}
	}
	var list []string
	for file := range files {
		list = append(list, file)
	}
	slices.Sort(list)
	return list
}
