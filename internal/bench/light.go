package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// lightSkeleton has bpftool generate a light skeleton of an object, in C, and
// compiles it with a main that loads and pins, and attaches the programs that are
// given, with their attach types, to the interface of index 1. Nothing of it is
// kept.
func (b *bench) lightSkeleton(object string, attach map[string]int) (string, error) {
	header, err := output(b.tool("gen", "skeleton", "-L", object)...)
	if err != nil {
		return "", err
	}
	main, err := lightMain(string(header), attach)
	if err != nil {
		return "", fmt.Errorf("light skeleton of %s: %w", object, err)
	}
	source, err := b.write("light.c", append(header, main...))
	if err != nil {
		return "", err
	}
	name := "light-" + strings.TrimSuffix(filepath.Base(object), ".bpf.o")
	built := b.path("light")
	if err := os.MkdirAll(built, 0o755); err != nil {
		return "", err
	}
	if _, err := output(b.compiler, "-O2", "-static", "-I", b.include, "-include", "errno.h", "-o", filepath.Join(built, name), source); err != nil {
		return "", err
	}
	return b.own(name), install(built, b.bin)
}

// lightMain is the main function: it loads, makes the directory that it is
// given, and pins every map and program there.
func lightMain(header string, attach map[string]int) (string, error) {
	opener := regexp.MustCompile(`(?m)^(\w+)__open_and_load\(void\)`).FindStringSubmatch(header)
	if opener == nil {
		return "", fmt.Errorf("it has no open_and_load")
	}
	var pins strings.Builder
	for _, m := range regexp.MustCompile(`struct bpf_(map|prog)_desc (\w+);`).FindAllStringSubmatch(header, -1) {
		fmt.Fprintf(&pins, "\tif (pin(s->%ss.%s.%s_fd, argv[1], %q)) return 1;\n", m[1], m[2], m[1], m[2])
	}
	for program, kind := range attach {
		fmt.Fprintf(&pins, "\tif (pin(skel_link_create(s->progs.%s.prog_fd, 1, %d), argv[1], \"link_%s\")) return 1;\n", program, kind, program)
	}
	return strings.NewReplacer("@NAME@", opener[1], "@PINS@", pins.String()).Replace(lightSource), nil
}

const lightSource = `
#include <stdio.h>
#include <sys/stat.h>

static int pin(int fd, const char *dir, const char *name)
{
	char path[4096];
	union bpf_attr attr = {};

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	attr.pathname = (__u64)(unsigned long)path;
	attr.bpf_fd = fd;
	if (skel_sys_bpf(BPF_OBJ_PIN, &attr, sizeof(attr)) < 0) {
		perror(path);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct @NAME@ *s = @NAME@__open_and_load();

	if (argc != 2 || !s || mkdir(argv[1], 0700)) {
		perror("load");
		return 1;
	}
@PINS@	return 0;
}
`

// headers finds libbpf's headers, which light skeletons include.
func headers() (string, error) {
	cache := os.Getenv("TBPF_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(dir, "tbpf")
	}
	for _, dir := range []string{"/usr/include", filepath.Join(cache, "tools", "libbpf", "usr", "include")} {
		if _, err := os.Stat(filepath.Join(dir, "bpf", "skel_internal.h")); err == nil {
			return dir, nil
		}
	}
	return "", missing(os.ErrNotExist, "libbpf")
}
