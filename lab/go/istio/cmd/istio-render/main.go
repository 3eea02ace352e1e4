// istio-render renders Istio's charts the way `istioctl manifest generate -f OPERATOR --manifests CHARTS` does.
package main

import (
	"fmt"
	"os"

	"istio.io/istio/operator/cmd/mesh"
	"istio.io/istio/operator/pkg/util/clog"
	"istio.io/istio/pkg/log"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: istio-render OPERATOR CHARTS")
		os.Exit(2)
	}
	arguments := &mesh.ManifestGenerateArgs{InFilenames: []string{os.Args[1]}, ManifestsPath: os.Args[2]}
	logger := clog.NewConsoleLogger(os.Stdout, os.Stderr, log.RegisterScope("render", "rendering of manifests"))
	if err := mesh.ManifestGenerate(nil, arguments, logger); err != nil {
		fmt.Fprintln(os.Stderr, "istio-render:", err)
		os.Exit(1)
	}
}
