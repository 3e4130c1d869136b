// The smallest service in Go.
package main

// #cgo CFLAGS: -I${SRCDIR} -I${SRCDIR}/../../sdk/go/include -I${SRCDIR}/../../plugin-api
import "C"

import (
	_ "embed"

	"trellis/plugin"
)

//go:embed contract.json
var contract string // plugin.c puts it into its section; named here, so that a change of it is noticed

type Message struct {
	Message string `json:"message"`
}

func setup(service *plugin.Service) error {
	plugin.RPC(service, "Echo.Say", func(_ *plugin.Call, in Message) (Message, error) { return in, nil })
	return nil
}

func init() { plugin.Register(setup) }

func main() {}
