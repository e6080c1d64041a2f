// Measure prints the measures of a checkout's Go code, tests and generated files
// aside: files, lines and exported names of each package, lengths of files and
// functions, the share of comments. With -search it also lists the files that one
// search enters, from the route to the engine: see entered.
//
//	go -C tools run ./measure [-search] [DIR]
package main

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	search := flag.Bool("search", false, "list the files that one search enters too (builds and runs the demo)")
	flag.Parse()
	dir := ".."
	if flag.NArg() > 0 {
		dir = flag.Arg(0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, dir, *search); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, search bool) error {
	packages, err := read(dir)
	if err != nil {
		return err
	}
	print(packages)
	if !search {
		return nil
	}
	hit, miss, err := entered(ctx, dir)
	if err != nil {
		return err
	}
	for _, walk := range []struct {
		name  string
		files []string
	}{{"a search that the cache answers", hit}, {"a search that the engine answers", miss}} {
		fmt.Printf("\n%s enters %d files:\n", walk.name, len(walk.files))
		for _, file := range walk.files {
			fmt.Println("  " + file)
		}
	}
	return nil
}

// measures are those of one package, or of all.
type measures struct {
	name             string
	files, functions []int // lengths in lines
	exported         int   // names at package level
	lines, comments  int
}

func read(dir string) ([]*measures, error) {
	found := map[string]*measures{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			if path != dir && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"bench", "tools", "testdata", "node_modules"}, relative)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		name := filepath.ToSlash(filepath.Dir(relative))
		if found[name] == nil {
			found[name] = &measures{name: name}
		}
		return found[name].add(path)
	})
	var all []*measures
	for _, m := range found {
		if len(m.files) > 0 {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *measures) int { return strings.Compare(a.name, b.name) })
	return all, err
}

func (m *measures) add(path string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(file) {
		return nil
	}
	lines := set.File(file.Pos()).LineCount()
	m.files = append(m.files, lines)
	m.lines += lines
	span := func(n ast.Node) int { return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1 }
	for _, group := range file.Comments {
		m.comments += span(group)
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			m.functions = append(m.functions, span(d))
			if d.Name.IsExported() && d.Recv == nil {
				m.exported++
			}
		case *ast.GenDecl:
			m.exported += exportedNames(d)
		}
	}
	return nil
}

func exportedNames(d *ast.GenDecl) (n int) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				n++
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() {
					n++
				}
			}
		}
	}
	return n
}

func print(packages []*measures) {
	all := &measures{name: "all"}
	for _, m := range packages {
		all.files = append(all.files, m.files...)
		all.functions = append(all.functions, m.functions...)
		all.exported += m.exported
		all.lines += m.lines
		all.comments += m.comments
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "package\tfiles\tlines\texported\tfile p50/p90/max\tfunction p50/p90/max\tcomments %\t")
	for _, m := range append(packages, all) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\t%.1f\t\n", m.name, len(m.files), m.lines, m.exported,
			spread(m.files), spread(m.functions), 100*float64(m.comments)/float64(m.lines))
	}
	_ = table.Flush()
}

// spread is the median, the 90th percentile and the largest.
func spread(lengths []int) string {
	if len(lengths) == 0 {
		return "–"
	}
	slices.Sort(lengths)
	at := func(percent int) int { return lengths[(len(lengths)-1)*percent/100] }
	return fmt.Sprintf("%d/%d/%d", at(50), at(90), at(100))
}
