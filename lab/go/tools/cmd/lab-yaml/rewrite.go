package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	yamlv2 "go.yaml.in/yaml/v2"
	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// sorted writes every document with sorted keys, no comments and no folded lines: the way net-istio publishes Istio's files.
func sorted(files []string) (string, error) {
	yamlv2.FutureLineWrap()
	var out bytes.Buffer
	for _, file := range files {
		objects, err := readObjects(file)
		if err != nil {
			return "", err
		}
		for _, o := range objects {
			text, err := yaml.Marshal(o.value)
			if err != nil {
				return "", fmt.Errorf("%s: %w", o.name, err)
			}
			if out.Len() > 0 {
				out.WriteString("---\n")
			}
			out.Write(text)
		}
	}
	return out.String(), nil
}

// indented writes every document with its comments and order, lists indented by two: the way `ko resolve` publishes files.
func indented(files []string) (string, error) {
	var out bytes.Buffer
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		decoder := yamlv3.NewDecoder(bytes.NewReader(content))
		var text bytes.Buffer
		encoder := yamlv3.NewEncoder(&text)
		encoder.SetIndent(2)
		for {
			var document yamlv3.Node
			err := decoder.Decode(&document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return "", fmt.Errorf("%s: %w", file, err)
			}
			if err := encoder.Encode(&document); err != nil {
				return "", fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := encoder.Close(); err != nil {
			return "", err
		}
		out.Write(text.Bytes())
		out.WriteString("\n---\n")
	}
	return out.String(), nil
}
