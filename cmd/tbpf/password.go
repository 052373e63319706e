package main

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/term"
)

// passwordVariable holds the password of the private key. It may be empty:
// keys of cosign often have an empty password.
const passwordVariable = "TBPF_PASSWORD"

const maxPassword = 64 << 10

// noTerminal is a usage error: there is nobody to ask.
func noTerminal() error {
	return usage("set "+passwordVariable+" or give --password-file", "there is no terminal to ask for the password")
}

// passwords finds the password of a private key: a file, the environment, or
// a person at a terminal, in this order. It is asked for once.
type passwords struct {
	app   *app
	file  string // --password-file
	known []byte
	asked bool
}

// get is what signer.Options wants.
func (p *passwords) get(prompt string) ([]byte, error) {
	if p.asked {
		return bytes.Clone(p.known), nil
	}
	password, err := p.find(prompt, false)
	if err != nil {
		return nil, err
	}
	p.known, p.asked = password, true
	return bytes.Clone(password), nil
}

// choose is get for a new key: a person types it twice, and an empty one is
// refused.
func (p *passwords) choose(prompt string) ([]byte, error) {
	password, err := p.find(prompt, true)
	if err == nil && len(password) == 0 {
		return nil, usage("--no-password writes the key without one", "the password is empty")
	}
	return password, err
}

func (p *passwords) find(prompt string, twice bool) ([]byte, error) {
	if p.file != "" {
		data, err := p.app.readInput(p.file, maxPassword)
		if err != nil {
			return nil, fmt.Errorf("read password: %w", err)
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r")), nil
	}
	if value, ok := os.LookupEnv(passwordVariable); ok {
		return []byte(value), nil
	}
	return p.app.ask(prompt, twice)
}

// ask asks at the controlling terminal, whatever standard input and output
// are. Without one it fails at once.
func (a *app) ask(prompt string, twice bool) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, noTerminal()
	}
	defer tty.Close()
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, noTerminal()
	}
	a.setRestore(func() { term.Restore(fd, state) })
	defer a.setRestore(nil)

	first, err := askOnce(tty, prompt)
	if err != nil || !twice {
		return first, err
	}
	second, err := askOnce(tty, "The same again")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usage("", "the two passwords differ")
	}
	return first, nil
}

func askOnce(tty *os.File, prompt string) ([]byte, error) {
	fmt.Fprintf(tty, "%s: ", prompt)
	password, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(tty)
	if err != nil {
		return nil, fmt.Errorf("read password: %w", err)
	}
	return password, nil
}

// setRestore and restoreTerminal: a signal may come while the terminal does
// not echo.
func (a *app) setRestore(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.restore = f
}

func (a *app) restoreTerminal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.restore != nil {
		a.restore()
	}
}

// wipe overwrites the password that is kept.
func (p *passwords) wipe() { clear(p.known) }
