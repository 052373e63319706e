package interop

import (
	"strings"
	"testing"
)

// Chains that openssl made, as docs/ca.md says it, with the limits that openssl
// can put into them.
func TestChainsOfOpenSSL(t *testing.T) {
	w := newWorkbench(t)
	request := func(name string, more ...string) {
		t.Helper()
		w.run("openssl", append([]string{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
			"-keyout", name + ".key", "-out", name + ".crt", "-addext", "subjectKeyIdentifier=hash"}, more...)...)
	}
	ca := []string{"-addext", "basicConstraints=critical,CA:TRUE,pathlen:1", "-addext", "keyUsage=critical,keyCertSign"}
	signer := []string{"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=codeSigning"}
	by := func(ca string) []string { return []string{"-CA", ca + ".crt", "-CAkey", ca + ".key"} }
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	w.write("one.toml", []byte("[ca]\nmax-path-length = 1\n"))
	constrained := []string{"-addext", "nameConstraints=critical,permitted;dirName:team", "-config", "openssl.cnf"}
	w.write("openssl.cnf", []byte("[req]\ndistinguished_name=dn\n[dn]\n[team]\nO=Acme\nOU=BPF\n"))

	request("company", join([]string{"-subj", "/O=Acme/CN=company"}, ca)...)
	request("team", join([]string{"-subj", "/O=Acme/OU=BPF/CN=team"}, ca, by("company"), constrained)...)
	for name, c := range map[string]struct {
		subject string
		more    []string
		good    bool
	}{
		"inside":     {"/O=Acme/OU=BPF/CN=release", signer, true},
		"outside":    {"/O=Acme/OU=Web/CN=release", signer, false},
		"servers":    {"/O=Acme/OU=BPF/CN=server", []string{"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=serverAuth"}, false},
		"unknown":    {"/O=Acme/OU=BPF/CN=release", join(signer, []string{"-addext", "1.2.3.4=critical,ASN1:NULL"}), false},
		"not a leaf": {"/O=Acme/OU=BPF/CN=release", ca, false},
	} {
		t.Run(name, func(t *testing.T) {
			file := strings.ReplaceAll(name, " ", "-")
			request(file, join([]string{"-subj", c.subject}, c.more, by("team"))...)
			out, err := w.attempt("tbpf", "sign", "x.bpf.o", "--key", file+".key", "--cert", file+".crt", "--chain", "team.crt", "--force", "-o", file+".tbpf")
			if !c.good {
				if err == nil { // what signing lets pass, verifying refuses
					out, err = w.attempt("tbpf", "verify", file+".tbpf", "--keyring", "company.crt", "--policy", "one.toml")
				}
				if err == nil {
					t.Errorf("verified:\n%s", out)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.run("tbpf", "verify", file+".tbpf", "--keyring", "company.crt", "--policy", "one.toml")
		})
	}
}

// Chains that step made, the command of step-ca.
func TestChainsOfStep(t *testing.T) {
	step, w := step(t), newWorkbench(t)
	w.write("one.toml", []byte("[ca]\nmax-path-length = 1\n"))
	w.write("leaf.tpl", []byte(`{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["codeSigning"], "basicConstraints": {"isCA": false}}`))
	create := func(name string, more ...string) {
		t.Helper()
		w.run(step, append([]string{"certificate", "create", name, name + ".crt", name + ".key", "--no-password", "--insecure"}, more...)...)
	}
	create("company", "--profile", "root-ca")
	create("team", "--profile", "intermediate-ca", "--ca", "company.crt", "--ca-key", "company.key")
	create("release", "--template", "leaf.tpl", "--ca", "team.crt", "--ca-key", "team.key")
	create("server", "--profile", "leaf", "--ca", "team.crt", "--ca-key", "team.key")
	w.run("tbpf", "sign", "x.bpf.o", "--key", "release.key", "--cert", "release.crt", "--chain", "team.crt", "--kernel-chain", "-o", "x.tbpf")
	w.run("tbpf", "verify", "x.tbpf", "--keyring", "company.crt", "--policy", "one.toml")
	w.run("tbpf", "verify", "x.tbpf", "--keyring", "team.crt")
	if out, err := w.attempt("tbpf", "sign", "x.bpf.o", "--key", "server.key", "--cert", "server.crt", "-o", "y.tbpf"); err == nil || !strings.Contains(out, "codeSigning") {
		t.Errorf("a server's certificate signs: %v\n%s", err, out)
	}
}
