package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// encode writes a value as the protocol has it: compact, and without the escapes that only HTML needs.
func encode(value any) ([]byte, error) {
	if value == nil {
		return []byte("{}"), nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// decode reads a value. An integer may be spelled 3.0 or 3e0 (06 §1.2), which encoding/json doesn't take for an int.
func decode[T any](text []byte) (value T, err error) {
	if err = json.Unmarshal(text, &value); err == nil {
		return value, nil
	}
	plain, problem := withPlainIntegers(text)
	if problem != nil {
		return value, err
	}
	var again T
	if json.Unmarshal(plain, &again) != nil {
		return value, err
	}
	return again, nil
}

func withPlainIntegers(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return encode(plain(value))
}

func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		return plainNumber(value)
	case []any:
		for i := range value {
			value[i] = plain(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = plain(value[name])
		}
	}
	return value
}

func plainNumber(number json.Number) any {
	if !strings.ContainsAny(number.String(), ".eE") {
		return number
	}
	float, err := number.Float64()
	if err != nil || float != math.Trunc(float) || math.Abs(float) >= 1<<63 {
		return number
	}
	return json.Number(strconv.FormatInt(int64(float), 10))
}

// objectText is the text of a JSON object, empty when there is nothing in it.
func objectText(value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	text, err := encode(value)
	if err != nil {
		return nil, err
	}
	switch {
	case string(text) == "{}", string(text) == "null":
		return nil, nil
	case text[0] != '{':
		return nil, fmt.Errorf("%T is no JSON object", value)
	}
	return text, nil
}
