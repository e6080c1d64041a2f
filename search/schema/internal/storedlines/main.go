// Command storedlines writes the sessions of searchtest.StoredDocuments, with their
// companies and a grant, as lines that `scopegate import` reads. The fixtures of
// package schema are made of them; see testdata/README.md there.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"

	"github.com/scopegate/scopegate/search/searchtest"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	docs, err := searchtest.StoredDocuments()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout) // Flush returns the first error of all
	companies := searchtest.StoredCompanies()
	for i, id := range companies {
		parent := "null"
		if i > 0 {
			parent = fmt.Sprint(companies[0])
		}
		_, _ = fmt.Fprintf(out, `{"type":"company","doc":{"id":%d,"name":"Company %d","parentId":%s}}`+"\n", id, id, parent)
	}
	_, _ = fmt.Fprintf(out, `{"type":"grant","doc":{"issuer":"https://id.example","subject":"anna","companyId":%d}}`+"\n", companies[0])
	for _, doc := range docs {
		_, _ = fmt.Fprintf(out, `{"type":"session","doc":%s}`+"\n", doc.JSON())
	}
	return out.Flush()
}
