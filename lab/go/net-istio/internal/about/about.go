// Package about says what these programs are, so that no log can be mistaken for that of the real net-istio.
package about

import (
	"fmt"
	"io"
	"log"
	"os"
)

// Version is what the programs call themselves in logs and in answer to --version.
const Version = "quickstart lab stand-in for net-istio 1.21"

// Announce logs what this program is.
func Announce(program string) {
	log.Printf("%s: %s (not the upstream program)", program, Version)
}

// HandleVersionFlag answers --version and reports whether it did.
// The shared main function owns all other flags.
func HandleVersionFlag(program string, args []string, out io.Writer) bool {
	for _, arg := range args {
		if arg == "--version" || arg == "-version" {
			fmt.Fprintf(out, "%s: %s\n", program, Version)
			return true
		}
	}
	return false
}

// Start is the common opening of both programs: it answers --version and ends the process, or announces the program.
func Start(program string) {
	if HandleVersionFlag(program, os.Args[1:], os.Stdout) {
		os.Exit(0)
	}
	Announce(program)
}
