package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// encode writes a value as the protocol has it: compact, and without the escapes that only HTML needs. A panic of the
// value's own methods is an error: some callers are in a goroutine that nobody else guards.
func encode(value any) (text []byte, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			text, err = nil, fmt.Errorf("%T panicked when it was written: %v", value, problem)
		}
	}()
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

// decode reads a value. Two things that encoding/json does otherwise than the schema that was checked: it doesn't take
// 3.0 or 3e0 for an int (06 §1.2), and it takes "QUANTITY" for quantity, whose limits nobody has checked there.
func decode[T any](text []byte) (value T, err error) {
	kind := reflect.TypeOf(&value).Elem()
	if mayMistake(kind, text) {
		if text, err = withoutMistakable(kind, text); err != nil {
			return value, err
		}
	}
	if err = json.Unmarshal(text, &value); err == nil {
		return value, nil
	}
	plain, problem := withPlainIntegers(text)
	if problem != nil {
		return value, err
	}
	var again T
	return again, json.Unmarshal(plain, &again)
}

func parsed(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func withPlainIntegers(text []byte) ([]byte, error) {
	value, err := parsed(text)
	if err != nil {
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
