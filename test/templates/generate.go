// Renders every case with Go's text/template and writes what it says beside them. Needs Debian's golang (1.19 or newer), once:
//
//	apt-get install -y golang-go && cd test/templates && go run generate.go && npx oxfmt .
//
// A case with "go" is written in words that are newer than that Go; "go" is the same template in its words.
package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

type item struct {
	Name  string
	Count int
	Tags  []string
}

// The same data stands in src/core/template.test.ts.
type data struct {
	Title, EpicFilePath, EpicContent, ModuleContext, CompletedDeps string
	Empty, Unicode, Html, Lines                                    string
	Yes, No                                                        bool
	Zero, Count, Negative                                          int
	Ratio, Whole, Tiny, Huge                                       float64
	List, None                                                     []string
	Numbers                                                        []int
	Floats                                                         []float64
	Items                                                          []item
	Item                                                           item
	Map, NoMap                                                     map[string]string
	Nested                                                         [][]string
}

var values = data{
	Title:         "Log in",
	EpicFilePath:  "docs/plans/auth/epic-02-log-in.md",
	EpicContent:   "Add a login page.\n\n- with a form",
	ModuleContext: "",
	CompletedDeps: "auth/E01, db/E01",
	Unicode:       "Grüße, 世界 👋",
	Html:          `<a href="x?y=1&z=2">it's</a>`,
	Lines:         "one\ntwo\tthree\r\n\\end\x01",
	Yes:           true,
	Count:         42,
	Negative:      -7,
	Ratio:         2.5,
	Whole:         1234567,
	Tiny:          0.00001234,
	Huge:          1e21,
	List:          []string{"a", "b", "c"},
	None:          []string{},
	Numbers:       []int{3, 1, 2},
	Floats:        []float64{0.5, 1, 1e6},
	Items:         []item{{"x", 1, []string{"p", "q"}}, {"y", 2, []string{}}, {"z", 3, []string{"r"}}},
	Item:          item{"one", 1, []string{"t"}},
	Map:           map[string]string{"b": "2", "a": "1", "é": "3", "Z": "4"},
	NoMap:         map[string]string{},
	Nested:        [][]string{{"1", "2"}, {}, {"3"}},
}

type testCase struct {
	Name, Template, Go string
}

type result struct {
	Name   string  `json:"name"`
	Output *string `json:"output,omitempty"`
	Error  string  `json:"error,omitempty"`
	Line   int     `json:"line,omitempty"`
	When   string  `json:"when,omitempty"`
}

var place = regexp.MustCompile(`^template: t:(\d+)`)

func run(c testCase) result {
	text := c.Template
	if c.Go != "" {
		text = c.Go
	}
	fail := func(when string, err error) result {
		line := 0
		if found := place.FindStringSubmatch(err.Error()); found != nil {
			line, _ = strconv.Atoi(found[1])
		}
		return result{Name: c.Name, Error: err.Error(), Line: line, When: when}
	}
	parsed, err := template.New("t").Parse(text)
	if err != nil {
		return fail("parse", err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, values); err != nil {
		return fail("execute", err)
	}
	output := out.String()
	return result{Name: c.Name, Output: &output}
}

func main() {
	for _, name := range []string{"cases", "malformed"} {
		text, err := os.ReadFile(name + ".json")
		if err != nil {
			panic(err)
		}
		var cases []testCase
		if err := json.Unmarshal(text, &cases); err != nil {
			panic(err)
		}
		results := []result{}
		for _, c := range cases {
			results = append(results, run(c))
		}
		file, err := os.Create(name + ".expected.json")
		if err != nil {
			panic(err)
		}
		encoder := json.NewEncoder(file)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(results); err != nil {
			panic(err)
		}
		file.Close()
	}
}
