package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

//go:embed openapi.yaml
var spec []byte

// YAML returns the contract (OpenAPI 3.1) as it is written.
func YAML() []byte { return bytes.Clone(spec) }

// JSON returns the contract as JSON. Its keys have the same order as in
// openapi.yaml, so that pages generated from it show fields and parameters in that
// order. It fails when openapi.yaml contains something that JSON cannot represent.
func JSON() ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(spec, &doc); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	var b bytes.Buffer
	if err := appendNode(&b, &doc); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return b.Bytes(), nil
}

func appendNode(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return appendNode(b, n.Content[0])
	case yaml.AliasNode:
		return appendNode(b, n.Alias)
	case yaml.MappingNode:
		return appendMapping(b, n)
	case yaml.SequenceNode:
		return appendSequence(b, n)
	}
	return appendScalar(b, n)
}

func appendMapping(b *bytes.Buffer, n *yaml.Node) error {
	b.WriteByte('{')
	for i := 0; i < len(n.Content); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		// Keys are strings in JSON, also those that YAML reads as another type.
		if err := appendValue(b, n.Content[i].Value); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := appendNode(b, n.Content[i+1]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func appendSequence(b *bytes.Buffer, n *yaml.Node) error {
	b.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := appendNode(b, item); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func appendScalar(b *bytes.Buffer, n *yaml.Node) error {
	var value any
	if err := n.Decode(&value); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	if err := appendValue(b, value); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}

// appendValue does not escape markup in texts.
func appendValue(b *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder ends with a line break
	return nil
}
