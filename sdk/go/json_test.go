package plugin

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Values of the conformance vectors, read and written by this package, are the values that the vectors have. Members
// keep the order that encoding/json gives them, so that is compared by value.
func TestTextsAndValuesOfTheConformanceVectors(t *testing.T) {
	text, err := os.ReadFile("../../conformance/canonical-json.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Cases []struct {
			Name     string
			Input    struct{ Text string }
			Expected struct{ Canonical, Error string }
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, one := range vectors.Cases {
		value, err := decode[any]([]byte(one.Input.Text))
		if one.Expected.Error != "" {
			// Numbers without a canonical form; to a plugin -0 is as good as 0, and what isn't finite isn't read.
			if err == nil && !strings.Contains(one.Input.Text, "-0") && !strings.Contains(one.Input.Text, "-2e-324") {
				t.Errorf("%s was read", one.Name)
			}
			continue
		}
		if strings.Contains(one.Expected.Canonical, `\ud`) || strings.Contains(one.Expected.Canonical, `\ude`) {
			continue // unpaired surrogates, which encoding/json replaces
		}
		if one.Name == "a-repeated-member-can-hide-a-refused-number" {
			continue // encoding/json looks at every number
		}
		if err != nil {
			t.Errorf("%s: %v", one.Name, err)
			continue
		}
		written, err := encode(value)
		if err != nil {
			t.Errorf("%s: %v", one.Name, err)
			continue
		}
		again, err := decode[any](written)
		if err != nil {
			t.Errorf("%s: %v", one.Name, err)
			continue
		}
		expected, _ := decode[any]([]byte(one.Expected.Canonical))
		if a, b := mustEncode(t, again), mustEncode(t, expected); a != b {
			t.Errorf("%s: %s instead of %s", one.Name, a, b)
		}
		compared++
	}
	if compared < 25 {
		t.Errorf("only %d were compared", compared)
	}
}

func mustEncode(t *testing.T, value any) string {
	text, err := encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestIntegersMayBeSpelledInEveryWay(t *testing.T) {
	type order struct {
		Quantity int64
		Lines    []struct{ Count uint8 }
	}
	value, err := decode[order]([]byte(`{"Quantity":3.0,"Lines":[{"Count":2e1},{"Count":7}],"other":1.5}`))
	if err != nil || value.Quantity != 3 || value.Lines[0].Count != 20 || value.Lines[1].Count != 7 {
		t.Errorf("%v, %v", value, err)
	}
	for _, text := range []string{`{"Quantity":3.5}`, `{"Quantity":1e30}`, `{"Lines":[{"Count":256.0}]}`, `{"Quantity":"3"}`} {
		if value, err := decode[order]([]byte(text)); err == nil {
			t.Errorf("%s was read as %v", text, value)
		}
	}
}

type embedded struct {
	Deep int `json:"deep"`
}

// encoding/json takes "QUANTITY" for quantity; the schema that the host has checked doesn't. So what a schema leaves
// free, a member of another spelling, must not change what it has checked.
func TestAMemberOfAnotherSpellingIsAnotherMember(t *testing.T) {
	type line struct {
		Count int `json:"count"`
	}
	type order struct {
		embedded
		Quantity int             `json:"quantity"`
		Sku      string          // as it is called
		Lines    []line          `json:"lines"`
		ByName   map[string]line `json:"byName"`
		Raw      json.RawMessage `json:"raw"`
		Any      any             `json:"any"`
		Next     *order          `json:"next"`
	}
	const text = `{"quantity":1,"QUANTITY":-5,"sku":"no","lines":[{"count":2,"Count":-2}],"byName":{"Count":{"COUNT":9}},` +
		`"RAW":1,"raw":{"Quantity":7},"any":{"Quantity":8},"deep":3,"DEEP":4,"\u0051uantity":-6,` +
		`"next":{"\u017fku":"no","quantity":3.0,"Quantity":-7}}`
	value, err := decode[order]([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const expected = `{"deep":3,"quantity":1,"Sku":"","lines":[{"count":2}],"byName":{"Count":{"count":0}},"raw":{"Quantity":7},` +
		`"any":{"Quantity":8},"next":{"deep":0,"quantity":3,"Sku":"","lines":null,"byName":null,"raw":null,"any":null,"next":null}}`
	if written := mustEncode(t, value); written != expected {
		t.Errorf("%s", written)
	}
	if _, err := decode[order]([]byte(`{"quantity":1,"Quantity":"none"}`)); err != nil {
		t.Errorf("a member that nobody asked for: %v", err)
	}
}

func TestTheMemberThatDoesNotFitIsNamed(t *testing.T) {
	type order struct{ A, B int }
	_, err := decode[order]([]byte(`{"A":3.0,"B":"x"}`))
	if err == nil || !strings.Contains(err.Error(), "order.B") {
		t.Error(err)
	}
}

func TestWhatIsNoObjectIsNoContextOfAnError(t *testing.T) {
	kind, message, context, fields := faultTexts(&Fault{Type: "Known", Message: "m", Fields: []int{1}})
	if kind != "UnexpectedError" || !strings.Contains(message, "[]int is no JSON object") || context != nil || fields != nil {
		t.Error(kind, message)
	}
	if text, err := objectText(struct{}{}); text != nil || err != nil {
		t.Error(text, err)
	}
}

func TestAClosedGateLetsNobodyInAndClosingWaitsForThoseInside(t *testing.T) {
	gate := newGate()
	if !gate.enter() {
		t.Fatal("it is open")
	}
	closed := make(chan struct{})
	go func() { gate.close(); close(closed) }()
	for gate.enter() { // until it is closing
		gate.leave()
	}
	select {
	case <-closed:
		t.Error("it closed over somebody")
	default:
	}
	gate.leave()
	<-closed
	if gate.enter() {
		t.Error("it is closed")
	}
}
