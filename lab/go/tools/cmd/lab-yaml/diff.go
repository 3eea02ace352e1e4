package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// longest is how many characters of a value are shown.
const longest = 100

// diffObjects lists what is missing, what is there in addition, and every field that differs, as `path: lab → pinned`.
func diffObjects(lab, pinned []object) []string {
	ours := map[string]map[string]any{}
	for _, o := range lab {
		ours[o.name] = o.value
	}
	theirs := map[string]bool{}
	var lines []string
	for _, o := range pinned {
		theirs[o.name] = true
		value, ok := ours[o.name]
		if !ok {
			lines = append(lines, "missing  "+o.name)
			continue
		}
		var fields []string
		diffValues("", value, o.value, &fields)
		for _, field := range fields {
			lines = append(lines, "differs  "+o.name+"  "+field)
		}
	}
	for _, o := range lab {
		if !theirs[o.name] {
			lines = append(lines, "extra    "+o.name)
		}
	}
	return lines
}

func diffValues(path string, lab, pinned any, lines *[]string) {
	if empty(lab) && empty(pinned) {
		return
	}
	a, aMap := lab.(map[string]any)
	b, bMap := pinned.(map[string]any)
	if aMap && bMap {
		for _, key := range union(a, b) {
			diffValues(path+"."+key, a[key], b[key], lines)
		}
		return
	}
	c, cList := lab.([]any)
	d, dList := pinned.([]any)
	if cList && dList {
		diffLists(path, c, d, lines)
		return
	}
	if !reflect.DeepEqual(lab, pinned) {
		*lines = append(*lines, fmt.Sprintf("%s: %s → %s", path, show(lab), show(pinned)))
	}
}

// diffLists compares items by their `name` where all have one, else by position.
func diffLists(path string, lab, pinned []any, lines *[]string) {
	a, aNamed := byName(lab)
	b, bNamed := byName(pinned)
	if aNamed && bNamed && len(a) == len(lab) && len(b) == len(pinned) {
		for _, key := range union(a, b) {
			diffValues(path+"["+key+"]", a[key], b[key], lines)
		}
		return
	}
	for i := range max(len(lab), len(pinned)) {
		var x, y any
		if i < len(lab) {
			x = lab[i]
		}
		if i < len(pinned) {
			y = pinned[i]
		}
		diffValues(fmt.Sprintf("%s[%d]", path, i), x, y, lines)
	}
}

func byName(list []any) (map[string]any, bool) {
	named := map[string]any{}
	for _, item := range list {
		fields, _ := item.(map[string]any)
		name, ok := fields["name"].(string)
		if !ok {
			return nil, false
		}
		named[name] = item
	}
	return named, true
}

// empty: a null, an empty map and an absent field are the same to the API server.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, inner := range v {
			if !empty(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return false
}

func union(a, b map[string]any) []string {
	var keys []string
	for key := range a {
		keys = append(keys, key)
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func show(value any) string {
	if value == nil {
		return "(absent)"
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	text := []rune(strings.ReplaceAll(string(encoded), `\u003c`, "<"))
	if len(text) > longest {
		return string(text[:longest]) + "…"
	}
	return string(text)
}
