package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The groups of the help page.
const (
	groupSign = "sign"
	groupLook = "look"
	groupLoad = "load"
	groupMore = "more"
)

// maker is a command that is made when it is needed.
type maker struct {
	name string
	make func(*app) *cobra.Command
}

// commands are all there are, in the order of the help page.
func commands() []maker {
	return []maker{
		{"keygen", newKeygen}, {"sign", newSign}, {"sign-loader", newSignLoader},
		{"countersign", newCountersign}, {"revoke", newRevoke}, {"rotate", newRotate},
		{"verify", newVerify}, {"inspect", newInspect}, {"strip", newStrip}, {"extract", newExtract},
		{"load", newLoad}, {"unload", newUnload}, {"keyring", newKeyring}, {"status", newStatus}, {"gate", newGate}, {"doctor", newDoctor},
		{"completion", newCompletion}, {"version", newVersion},
	}
}

// wanted are those of the commands that a command line takes: the one that it
// begins with, for the flags of all of them are a tenth of a short run; else all,
// for help, completion and suggestions.
func wanted(args []string) []maker {
	all := commands()
	for i := range all {
		if len(args) > 0 && args[0] == all[i].name {
			return all[i : i+1]
		}
	}
	return all
}

// newRoot makes the command with those of its commands that args take.
func newRoot(a *app, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "tbpf",
		Short: "Sign BPF programs and load only signed ones",
		Long: `tbpf signs BPF objects when they are built, and verifies and loads what was
signed. One sealed file loads on every kernel from 6.1 on; where the kernel
can check signatures itself, it does.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usage("`tbpf help` lists the commands", "no command given")
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetIn(a.stdin)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{err: flagError(err), hint: flagHint(cmd, err)}
	})
	root.AddGroup(
		&cobra.Group{ID: groupSign, Title: "Sign:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupLoad, Title: "Load:"},
		&cobra.Group{ID: groupMore, Title: "More:"},
	)
	root.SetHelpCommandGroupID(groupMore)
	root.SetHelpCommand(newHelp())
	root.PersistentFlags().BoolVar(&a.json, "json", false, "one JSON document on standard output")
	for _, m := range wanted(args) {
		root.AddCommand(m.make(a))
	}
	root.SuggestionsMinimumDistance = 2
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(a.stdout, cmd) })
	for _, cmd := range root.Commands() {
		cmd.Flags().SortFlags = false
		cmd.DisableFlagsInUseLine = true
	}
	return root
}

// newHelp is cobra's help command, but an unknown topic is a usage error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:                   "help [COMMAND]",
		Short:                 "Show how a command is used",
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(seeHelp(cmd), "help takes one command, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, _, err := cmd.Root().Find(args)
			if err != nil || len(args) > 0 && about == cmd.Root() {
				return unknownCommand(cmd.Root(), args[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usage(fmt.Sprintf("did you mean `tbpf %s`?", near[0]), "unknown command %q", name)
	}
	return usage("`tbpf help` lists the commands", "unknown command %q", name)
}

func seeHelp(cmd *cobra.Command) string {
	return fmt.Sprintf("`%s --help` tells what it takes", cmd.CommandPath())
}

// flagError says what is wrong with a number as a person would.
func flagError(err error) error {
	var value *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &value) || !errors.As(err, &number) {
		return err
	}
	if errors.Is(number, strconv.ErrRange) {
		return fmt.Errorf("--%s: %q is too large", value.GetFlag().Name, value.GetValue())
	}
	return fmt.Errorf("--%s: %q is not a number that it takes", value.GetFlag().Name, value.GetValue())
}

// flagHint names the flag that was perhaps meant.
func flagHint(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	near := ""
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		name := unknown.GetSpecifiedName()
		if cmd == cmd.Root() && name == "version" {
			return "`tbpf version` tells it"
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if near == "" && (strings.HasPrefix(f.Name, name) || strings.HasPrefix(name, f.Name)) {
				near = f.Name
			}
		})
	}
	if near == "" {
		return seeHelp(cmd)
	}
	return fmt.Sprintf("did you mean --%s? %s", near, seeHelp(cmd))
}

// oneFile and someFiles are the commands' argument rules.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(seeHelp(cmd), "%s takes one file, not %d", cmd.Name(), len(args))
	}
	return someFiles(cmd, args)
}

func someFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(seeHelp(cmd), "%s needs a file", cmd.Name())
	}
	stdin := 0
	for _, arg := range args {
		if arg == "" {
			return usage(seeHelp(cmd), "a file name is empty")
		}
		if arg == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return usage(seeHelp(cmd), "standard input (-) is named more than once")
	}
	return nil
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(seeHelp(cmd), "%s takes no arguments: %q", cmd.Name(), args[0])
	}
	return nil
}

// notEmpty refuses a flag that is given without a value. In a script that is a
// variable that was never set, and --policy "" must not be no policy.
func notEmpty(cmd *cobra.Command) error {
	var empty error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && f.Name != "name" && empty == nil {
			empty = usage("give it a value, or leave it out", "--%s is empty", f.Name)
		}
	})
	return empty
}

// exclusive refuses two flags that contradict each other.
func exclusive(cmd *cobra.Command, flags ...string) error {
	var given []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		for _, name := range flags {
			if f.Name == name {
				given = append(given, "--"+name)
			}
		}
	})
	if len(given) > 1 {
		return usage(seeHelp(cmd), "%s exclude each other", strings.Join(given, " and "))
	}
	return nil
}
