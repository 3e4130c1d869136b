package plugin

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

// Members are known by their exact names. encoding/json also takes one whose name differs in case only, and has no
// switch for that; a schema knows no such member, so its value would reach a handler unchecked. So it is removed before.

// mistakable are the names of members that a type has, anywhere in it.
var mistakable sync.Map // reflect.Type to []string

func namesIn(kind reflect.Type) []string {
	if known, found := mistakable.Load(kind); found {
		return known.([]string)
	}
	names := map[string]bool{}
	collect(kind, names, map[reflect.Type]bool{})
	var list []string
	for name := range names {
		list = append(list, name)
	}
	mistakable.Store(kind, list)
	return list
}

func collect(kind reflect.Type, names map[string]bool, seen map[reflect.Type]bool) {
	if seen[kind] {
		return
	}
	seen[kind] = true
	switch kind.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		collect(kind.Elem(), names, seen)
	case reflect.Struct:
		for name, member := range membersOf(kind) {
			names[name] = true
			collect(member, names, seen)
		}
	}
}

// membersOf are the members of a struct that encoding/json fills, those of embedded structs with them.
func membersOf(kind reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	addMembers(kind, out, map[reflect.Type]bool{})
	return out
}

func addMembers(kind reflect.Type, out map[string]reflect.Type, seen map[reflect.Type]bool) {
	if seen[kind] {
		return
	}
	seen[kind] = true
	var inner []reflect.Type
	for i := 0; i < kind.NumField(); i++ {
		field := kind.Field(i)
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		held := field.Type
		if held.Kind() == reflect.Pointer {
			held = held.Elem()
		}
		switch {
		case tag == "-":
		case field.Anonymous && name == "" && held.Kind() == reflect.Struct:
			inner = append(inner, held)
		case field.IsExported():
			if name == "" {
				name = field.Name
			}
			if _, known := out[name]; !known { // the outer one hides the inner one
				out[name] = field.Type
			}
		}
	}
	for _, held := range inner {
		addMembers(held, out, seen)
	}
}

// mayMistake says whether a name in the text is nearly one of the type's. Texts of those who mean no harm have none, so
// this is all that they cost.
func mayMistake(kind reflect.Type, text []byte) bool {
	names := namesIn(kind)
	if len(names) == 0 {
		return false
	}
	for at := 0; at < len(text); {
		start := bytes.IndexByte(text[at:], '"')
		if start < 0 {
			return false
		}
		start += at + 1
		end, isPlain := start, true
		for end < len(text) && text[end] != '"' {
			isPlain = isPlain && text[end] != '\\' && text[end] < utf8.RuneSelf
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			return false // no JSON
		}
		at = end + 1
		rest := bytes.TrimLeft(text[at:], " \t\r\n")
		if len(rest) > 0 && rest[0] == ':' && (!isPlain || isNearly(string(text[start:end]), names)) {
			return true
		}
	}
	return false
}

func isNearly(name string, names []string) bool {
	for _, one := range names {
		if name != one && strings.EqualFold(name, one) {
			return true
		}
	}
	return false
}

func withoutMistakable(kind reflect.Type, text []byte) ([]byte, error) {
	value, err := parsed(text)
	if err != nil {
		return nil, err
	}
	return encode(exact(kind, value))
}

var unmarshaler = reflect.TypeOf((*json.Unmarshaler)(nil)).Elem()

// exact is the value without the members that only nearly have the name of one of the type's.
func exact(kind reflect.Type, value any) any {
	for kind.Kind() == reflect.Pointer && !kind.Implements(unmarshaler) {
		kind = kind.Elem()
	}
	if kind.Implements(unmarshaler) || reflect.PointerTo(kind).Implements(unmarshaler) {
		return value // reads itself
	}
	switch value := value.(type) {
	case []any:
		if kind.Kind() == reflect.Slice || kind.Kind() == reflect.Array {
			for i := range value {
				value[i] = exact(kind.Elem(), value[i])
			}
		}
	case map[string]any:
		exactMembers(kind, value)
	}
	return value
}

func exactMembers(kind reflect.Type, object map[string]any) {
	switch kind.Kind() {
	case reflect.Map:
		for name := range object {
			object[name] = exact(kind.Elem(), object[name])
		}
	case reflect.Struct:
		members := membersOf(kind)
		for name := range object {
			if member, known := members[name]; known {
				object[name] = exact(member, object[name])
			} else {
				delete(object, name) // nothing reads it
			}
		}
	}
}
