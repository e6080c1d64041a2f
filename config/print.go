package config

import (
	"encoding"
	"reflect"
	"time"

	yamlv3 "gopkg.in/yaml.v3"
)

// YAML returns the configuration in the form of a file, with masked secrets.
func (c Config) YAML() ([]byte, error) {
	return yamlv3.Marshal(node(reflect.ValueOf(c)))
}

// node builds the YAML by hand, so that it keeps the file's names and order and no
// secret reaches an encoder.
func node(v reflect.Value) *yamlv3.Node {
	switch value := v.Interface().(type) {
	case time.Duration:
		return scalar(value.String())
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			return scalar(err.Error())
		}
		return scalar(string(text))
	}
	switch v.Kind() {
	case reflect.Struct:
		mapping := &yamlv3.Node{Kind: yamlv3.MappingNode}
		for i := range v.NumField() {
			mapping.Content = append(mapping.Content, scalar(nameOf(v.Type().Field(i))), node(v.Field(i)))
		}
		return mapping
	case reflect.Slice:
		list := &yamlv3.Node{Kind: yamlv3.SequenceNode}
		for i := range v.Len() {
			list.Content = append(list.Content, node(v.Index(i)))
		}
		return list
	}
	n := &yamlv3.Node{}
	n.SetString("")
	if err := n.Encode(v.Interface()); err != nil {
		return scalar(err.Error())
	}
	return n
}

func scalar(text string) *yamlv3.Node {
	n := &yamlv3.Node{}
	n.SetString(text)
	return n
}
