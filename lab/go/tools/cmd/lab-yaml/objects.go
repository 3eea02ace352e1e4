package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// object is one document of a manifest.
type object struct {
	name  string // kind, namespace and name, as people write it
	value map[string]any
}

// readObjects reads every document of a manifest, in its order. A document that stands there twice is named once more with its number.
func readObjects(path string) ([]object, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var objects []object
	seen := map[string]int{}
	for _, document := range documents(content) {
		var value map[string]any
		if err := yaml.Unmarshal(document, &value); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if value["kind"] == nil {
			continue
		}
		name := objectName(value)
		seen[name]++
		if seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		objects = append(objects, object{name, value})
	}
	return objects, nil
}

// documents cuts at lines that hold only a document separator.
func documents(content []byte) [][]byte {
	var all [][]byte
	var current bytes.Buffer
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(make([]byte, 0, 1<<20), 1<<26)
	for lines.Scan() {
		line := lines.Text()
		if strings.TrimRight(line, " \t\r") == "---" {
			all = append(all, bytes.Clone(current.Bytes()))
			current.Reset()
			continue
		}
		current.WriteString(line)
		current.WriteByte('\n')
	}
	return append(all, bytes.Clone(current.Bytes()))
}

func objectName(value map[string]any) string {
	metadata, _ := value["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	group, _ := value["apiVersion"].(string)
	kind, _ := value["kind"].(string)
	// two kinds may share a name in different groups; the version is a field to compare, not a part of the name
	if cut := strings.LastIndex(group, "/"); cut >= 0 && !strings.Contains(group, "k8s.io") && strings.Contains(group, ".") {
		kind += "." + group[:cut]
	}
	if namespace, ok := metadata["namespace"].(string); ok {
		return kind + " " + namespace + "/" + name
	}
	return kind + " " + name
}
