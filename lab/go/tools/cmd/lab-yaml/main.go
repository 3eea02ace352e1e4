// lab-yaml reads and writes Kubernetes manifests for the lab's shell scripts.
//
//	lab-yaml diff LAB PINNED     every difference, object by object and field by field; exit 1 when there is one
//	lab-yaml mesh FILE           the mesh configuration in FILE, changed to what plain Envoy accepts
//	lab-yaml sorted FILE…        all documents with sorted keys, without comments
//	lab-yaml indented FILE…      all documents as they are, lists indented
package main

import (
	"errors"
	"fmt"
	"os"
)

var errUsage = errors.New("usage: lab-yaml diff LAB PINNED | mesh FILE | sorted FILE… | indented FILE…")

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab-yaml:", err)
		code = 2
	}
	os.Exit(code)
}

func run(arguments []string) (int, error) {
	if len(arguments) < 2 {
		return 2, errUsage
	}
	verb, files := arguments[0], arguments[1:]
	switch {
	case verb == "diff" && len(files) == 2:
		return diff(files[0], files[1])
	case verb == "mesh" && len(files) == 1:
		objects, err := readObjects(files[0])
		if err != nil {
			return 2, err
		}
		return print(plainEnvoyMesh(objects))
	case verb == "sorted":
		return print(sorted(files))
	case verb == "indented":
		return print(indented(files))
	}
	return 2, errUsage
}

func diff(lab, pinned string) (int, error) {
	ours, err := readObjects(lab)
	if err != nil {
		return 2, err
	}
	theirs, err := readObjects(pinned)
	if err != nil {
		return 2, err
	}
	lines := diffObjects(ours, theirs)
	for _, line := range lines {
		fmt.Println(line)
	}
	return min(len(lines), 1), nil
}

func print(text string, err error) (int, error) {
	if err == nil {
		_, err = os.Stdout.WriteString(text)
	}
	return 0, err
}
