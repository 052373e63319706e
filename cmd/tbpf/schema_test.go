package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// projectDir is the project as this package sees it in tests.
const projectDir = "../.."

// checkSchema holds a document against the schema of its command.
func checkSchema(document []byte) error {
	command, err := documentCommand(document)
	if err != nil {
		return err
	}
	schema, err := readSchema(command)
	if err != nil {
		return err
	}
	var instance any
	if err := json.Unmarshal(document, &instance); err != nil {
		return err
	}
	if err := schema.Validate(instance); err != nil {
		return fmt.Errorf("docs/json/%s.schema.json: %w", command, err)
	}
	return nil
}

func readSchema(command string) (*jsonschema.Resolved, error) {
	data, err := os.ReadFile(filepath.Join(projectDir, "docs", "json", command+".schema.json"))
	if err != nil {
		return nil, err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, fmt.Errorf("docs/json/%s.schema.json: %w", command, err)
	}
	return schema.Resolve(nil)
}

// TestEveryCommandHasASchema and every schema a command.
func TestEveryCommandHasASchema(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(projectDir, "docs", "json", "*.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		command := filepath.Base(file[:len(file)-len(".schema.json")])
		found[command] = true
		if _, err := readSchema(command); err != nil {
			t.Error(err)
		}
	}
	for _, cmd := range newRoot(newApp(), nil).Commands() {
		if !found[cmd.Name()] && cmd.Name() != "help" {
			t.Errorf("docs/json has no schema for %s", cmd.Name())
		}
		delete(found, cmd.Name())
	}
	for command := range found {
		t.Errorf("docs/json has a schema for %s, which is no command", command)
	}
}
