package mutation

// check is one security check, and how it is taken out.
type check struct {
	attack string // the case in docs/attacks.md
	file   string
	old    string // stands in the file once
	new    string
	pkg    string // where it is missed
	run    string // by these tests
	quick  bool   // in every `make test`, and not only in the long form
	root   bool   // only root can see it
}

// never is a condition that does not hold, and that vet and the compiler take.
const never = "if false && "

// unless takes an if out of a file: its condition never holds.
func unless(attack, file, condition, pkg, run string) check {
	return check{attack: attack, file: file, old: "if " + condition + " {", new: never + "(" + condition + ") {", pkg: pkg, run: run}
}

func (c check) fast() check   { c.quick = true; return c }
func (c check) asRoot() check { c.root = true; return c }

func checks() []check {
	return []check{
		unless("A01", "verify/content.go", "uint64(len(object)) != m.ObjectSize || hex.EncodeToString(digest[:]) != m.Object.SHA256", "verify", "TestBadFilesAreRefusedForTheirReason").fast(),
		{attack: "A02", file: "verify/chain.go", old: "	if s.trusted, s.dropped = key, err; err != nil {", new: "	if s.trusted, s.dropped = key, err; err != nil || key == nil {",
			pkg: "verify", run: "TestNobodyIsTrustedWithoutAKeyring|TestForeignSignersDoNotChangeTheReason", quick: true},
		unless("A03", "internal/seal/check.go", "n := len(s.Signatures); n == 0 || n > MaxSignatures", "internal/seal", "").withInit("n := len(s.Signatures)", "n == 0 || n > MaxSignatures"),
		{attack: "A04", file: "verify/verify.go", old: "	switch {\n	case err == nil:\n		return object, s, nil\n	case errors.Is(err, seal.ErrUnsigned):",
			new: "	if err != nil && detached == nil {\n		object, s = file, &seal.Seal{}\n		return object, s, nil\n	}\n	switch {\n	case err == nil:\n		return object, s, nil\n	case errors.Is(err, seal.ErrUnsigned):", pkg: "verify", run: "TestBadFiles"},
		{attack: "A05", file: "verify/verify.go", old: "	if perr != nil {", new: "	if false && perr != nil {", pkg: "verify", run: "TestBadFilesAreRefusedForTheirReason"},
		unless("A06", "internal/strictjson/members.go", "m.keys[folded]", "internal/strictjson", ""),
		unless("A06", "internal/strictjson/scan.go", "s.depth++; s.depth > MaxDepth", "internal/strictjson", "").withInit("s.depth++", "s.depth > MaxDepth"),
		unless("A09", "internal/manifest/names.go", `!strings.ContainsAny(s[:1], lower+upper+digits)`, "internal/manifest", ""),
		unless("A09", "loader/pinname.go", `name == "" || len(name) > 255 || strings.ContainsAny(name, "/\x00")`, "loader", "TestNamesThatAreNoFileAreRefused|TestAFailedLoadLeavesNoPins").asRoot(),
		unless("A09", "internal/trustpath/trustpath.go", `name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00")`, "internal/trustpath", ""),
		unless("A11", "verify/judge.go", "len(counted)+len(j.keyless) < j.threshold", "verify", "TestOneKeyCountsOnce|Threshold|TooFew|TestBadFiles"),
		{attack: "A11", file: "verify/judge.go", old: "j.threshold = max(j.policy.Threshold, opt.Threshold)", new: "j.threshold = 1", pkg: "verify", run: ""},
		unless("A12", "keys/public.go", "n := k.N.BitLen(); n < minRSABits || n > maxRSABits", "keys", "TestWeakAndBrokenKeysAreRefused").withInit("n := k.N.BitLen()", "n < minRSABits || n > maxRSABits"),
		unless("A15", "internal/seal/check.go", "!bytes.Equal(s.Metadata[:MinMetadata], make([]byte, MinMetadata))", "internal/seal", ""),
		unless("A02", "verify/signatures.go", "id != g.KeyID", "verify", ""),
		unless("A16", "verify/signatures.go", "err := keys.Verify(pub, g.Algorithm, message, g.Value); err != nil", "verify", "TestBadFiles|TestNoBit").withInit("err := keys.Verify(pub, g.Algorithm, message, g.Value)", "err != nil"),
		unless("A17", "verify/content.go", "len(s.Loaders) != len(m.Profiles)", "verify", ""),
		unless("A17", "internal/kernelload/probe.go", "!errors.Is(err, unix.E2BIG)", "internal/kernelload", "TestNoSignaturesNeedsTwoAnswers").fast(),
		unless("A17", "loader/profile_linux.go", "r.opt.KernelVerify != IfAvailable", "loader", "TestUnsignedIsOnlyForKernelsThatCannotCheck"),
		{attack: "A17", file: "loader/profile_linux.go", old: "failed.Step != kernelload.StepLoad || failed.Errno != after(profile)", new: "failed.Step != kernelload.StepLoad || false", pkg: "loader", run: "TestProfilesArePickedByWhatTheKernelSays"},
		{attack: "A18", file: "internal/kernelload/context.go", old: "	for i := range slots {\n		setSlot(ctx, i, -1)\n	}\n", new: "", pkg: "internal/kernelload", run: "TestContextsStartWithoutDescriptors"},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "	if low != lowest {", new: "	if low != lowest && false {", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "	if high != highest {", new: "	if high != highest && false {", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true, quick: true},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "e.add(asm.LoadMem(asm.R1, regCtx, int16(t.Context), asm.DWord))", new: "e.add(asm.LoadMem(asm.R1, regCtx, int16(t.Context), width(t.Size)))", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "e.store(to, asm.R1, width(t.Size))", new: "e.store(to, asm.R1, asm.DWord)", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "	e.add(asm.Ja.Label(e.farLabel(\"reject\")))\n}\n\n// text takes", new: "}\n\n// text takes", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "	e.add(asm.Ja.Label(reject))\n", new: "	e.add(asm.Ja.Label(ok))\n", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true},
		{attack: "A18", file: "sign/skeleton/tunablecode.go", old: "			asm.JNE.Imm(asm.R1, 0, reject),\n", new: "", pkg: "sign/skeleton", run: "TestTheKernelSetsWhatIsAllowedAlone", root: true},
		{attack: "A14", file: "sign/skeleton/sections.go", old: "			if names[sec.Name] {\n				return fmt.Errorf(\"parse object: two sections", new: "			if false {\n				return fmt.Errorf(\"parse object: two sections", pkg: "sign/skeleton", run: "TestTwoSectionsOfOneNameAreRefused"},
		unless("A14", "sign/skeleton/programs.go", "strings.ContainsRune(spec.License, 0)", "sign/skeleton", "TestALicenceEndsAtItsNUL"),
		unless("A14", "sign/skeleton/sections.go", "is, _ := structOpsSection(sec.Name); is && (sec.Type != elf.SHT_PROGBITS || sec.Flags&elf.SHF_EXECINSTR != 0)", "sign/skeleton", "TestProgramsAreNotTakenForStructures").withInit("is, _ := structOpsSection(sec.Name)", "is && (sec.Type != elf.SHT_PROGBITS || sec.Flags&elf.SHF_EXECINSTR != 0)"),
		unless("A18", "sign/skeleton/tunables.go", "o.in == t.in && o.IsSize() == t.IsSize() && o.Offset < t.Offset+t.Size && t.Offset < o.Offset+o.Size", "sign/skeleton", "TestTunablesThatShareBytes"),
		unless("A18", "internal/manifest/tunablecheck.go", "o.Map == t.Map && o.IsSize() == t.IsSize() && o.Offset < t.Offset+t.Size && t.Offset < o.Offset+o.Size", "internal/manifest", "TestTunablesThatAreRefused"),
		unless("A18", "internal/manifest/tunablecheck.go", "(t.Source != \"\" || t.Map == KconfigMap) && !t.isFact(in)", "internal/manifest", "TestFactsAboutTheKernelStayFacts"),
		{attack: "A18", file: "internal/kconfig/kconfig.go", old: "		ok = err == nil\n", new: "		ok = err == nil || true\n", pkg: "internal/kconfig", run: "TestValuesByTypeOfTheVariable", quick: true},
		{attack: "A30", file: "internal/kconfig/kconfig.go", old: "				whole = whole && value == \"\"\n", new: "", pkg: "internal/kconfig", run: "TestFindRefusesWhatIsNoConfiguration"},
		{attack: "A23", file: "loader/kconfig_linux.go", old: "	if errors.Is(err, fs.ErrNotExist) {\n		file, err = here.read(\"/usr", new: "	if err != nil {\n		file, err = here.read(\"/usr", pkg: "loader", run: "TestFactsAboutTheKernel"},
		unless("A18", "internal/manifest/tunablecheck.go", "t.Context != at", "internal/manifest", "TestTunablesThatAreRefused"),
		unless("A18", "internal/manifest/tunablecheck.go", "at != m.Context", "internal/manifest", "TestTunablesThatAreRefused"),
		{attack: "A18", file: "internal/manifest/tunables.go", old: "	if found == len(set) {", new: "	if found <= len(set) {", pkg: "internal/manifest", run: "TestTunableValues"},
		{attack: "A18", file: "sign/skeleton/loader.go", old: "		asm.JNE.Imm(asm.R1, 0, e.farLabel(\"reject\")),\n	)\n}\n\n// checkInputs", new: "	)\n}\n\n// checkInputs", pkg: "sign/skeleton", run: "TestTheKernelRunsALoaderOnce", root: true, quick: true},
		unless("A19", "verify/judge.go", "m.Version < least", "verify", "TestOlderVersionsAreRefused").fast(),
		unless("A19", "internal/floor/floor.go", `words[1] != hex.EncodeToString(sum[:])`, "internal/floor", "TestDamageIsRefused"),
		{attack: "A19", file: "cmd/tbpf/floor.go", old: "		opt.Now = state.Time\n", new: "", pkg: "cmd/tbpf", run: "TestScripts/floor"},
		unless("A22", "internal/trustpath/trustpath.go", "st.Mode&unix.S_IFMT != unix.S_IFREG", "internal/trustpath", "TestReadFileRefuses"),
		{attack: "A24", file: "internal/kernelload/try.go", old: "		return checkFrozen(meta, p.Metadata)", new: "		return nil", pkg: "internal/kernelload", run: "TestMetadataThatAnotherWrites", root: true},
		unless("A22", "loader/worker/serve.go", "sha256.Sum256(b) != s.digest", "loader/worker", "TestAPayloadIsWhatWasVerified").fast(),
		{attack: "A23", file: "internal/trustpath/trustpath.go", old: "	case st.Uid != d.owner:", new: "	case false:", pkg: "internal/trustpath", run: "TestOthersThanTheOwnerAreRefused|TestReadFileRefuses"},
		{attack: "A23", file: "internal/trustpath/trustpath.go", old: "	case st.Mode&0o022 != 0:", new: "	case false:", pkg: "internal/trustpath", run: "TestReadFileRefuses", quick: true},
		{attack: "A23", file: "internal/trustpath/trustpath.go", old: "flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,\n		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_BENEATH,",
			new: "flags | unix.O_CLOEXEC,", pkg: "internal/trustpath", run: "TestReadFileRefuses"}, // either of the two is enough
		{attack: "A23", file: "loader/pindir_linux.go", old: "	case st.Mode&0o022 != 0:", new: "	case false:", pkg: "loader", run: "TestPinDirectoriesThatOthersControlAreRefused", root: true},
		unless("A14", "loader/check_linux.go", "info.Type.String() != p.Type", "loader", "TestWhatCameBackMustBeWhatWasSigned").asRoot(),
		unless("A14", "loader/check_linux.go", "info.GPLCompatible != gplCompatible(p.License)", "loader", "TestWhatCameBackMustBeWhatWasSigned").asRoot(),
		unless("A14", "loader/check_linux.go", "len(info.MapIDs) != len(want) || slices.ContainsFunc(info.MapIDs, func(id uint32) bool { return !slices.Contains(want, id) })", "loader", "TestWhatCameBackMustBeWhatWasSigned").asRoot(),
		unless("A14", "loader/target_linux.go", `module != "" && types != t.module(module)`, "loader", "TestAttachTargetsAreComparedByName").asRoot(),
		unless("A14", "internal/manifest/programs.go", `p.Attach.By == AttachByBroker && (p.AttachTarget == "") == (p.Attach.Input == "")`, "internal/manifest", ""),
		unless("A24", "loader/check_linux.go", "!frozen", "loader", "TestWhatCameBackMustBeWhatWasSigned|TestFrozen").asRoot(),
		unless("A26", "loader/publish_linux.go", "!s.replace", "loader", "TestATakenNameIsRefused").asRoot(),
		{attack: "A27", file: "internal/trusted/recorded.go", old: "have.Boot == want.Boot &&", new: "", pkg: "internal/trusted", run: ""},
		{attack: "A27", file: "internal/inventory/read_linux.go", old: "r.Boot != boot || r.Version", new: "r.Version", pkg: "internal/inventory", run: "TestARecordThatDoesNotFitCountsForNothing"},
		{attack: "A28", file: "loader/delegation_linux.go", old: "	if missing != \"\" {", new: "	if false && missing != \"\" {", pkg: "loader", run: "TestNarrowDelegationsAreRefused", root: true},
		{attack: "A31", file: "loader/attempt.go", old: "	if a.givenUp {", new: "	if false && a.givenUp {", pkg: "loader", run: "TestAGivenUpLoadShowsNothing", root: true},
		unless("A18", "loader/keep_linux.go", "hex.EncodeToString(sum[:]) != p.Keep", "loader", "TestWhatCanBeKept").asRoot(),
		{attack: "A31", file: "internal/bootset/run.go", old: "ended = r.State == Failed && e.Importance == Critical", new: "ended = false", pkg: "internal/bootset", run: "TestOutcomes", quick: true},
		{attack: "A31", file: "internal/bootset/run.go", old: "	case stop != policy.StopCritical:\n		return false\n", new: "", pkg: "internal/bootset", run: "TestWhatStopsABoot"},
		{attack: "A31", file: "internal/record/goeson.go", old: `	if !strings.HasPrefix(string(data), root+"\n") {`, new: `	if false && !strings.HasPrefix(string(data), root+"\n") {`, pkg: "internal/record", run: "TestABootGoesOnOnlyIfThatWasSaid", root: true},
		{attack: "A32", file: "internal/trustpath/trustpath.go", old: "		if int64(len(data)) > limit {", new: "		if false && int64(len(data)) > limit {", pkg: "internal/trustpath", run: "TestReadFileRefuses"},
		{attack: "A33", file: "internal/policy/policy.go", old: "KernelVerify: min(p.KernelVerify, other.KernelVerify),", new: "KernelVerify: other.KernelVerify,", pkg: "internal/policy", run: "Tightened"},
		unless("A34", "keys/signer/open.go", "perm := info.Mode().Perm(); perm&0o077 != 0", "keys/signer", "TestKeyFileOfOthersIsRefused").withInit("perm := info.Mode().Perm()", "perm&0o077 != 0"),
		{attack: "A35", file: "internal/bootset/run.go", old: "			if r.Err != nil {\n				r.State = Failed\n			}\n", new: "", pkg: "internal/bootset", run: "TestOutcomes"},
	}
}

// withInit splits the condition of an if that begins with a statement.
func (c check) withInit(statement, condition string) check {
	c.new = "if " + statement + "; false && (" + condition + ") {"
	return c
}
