#include "textflag.h"

// func cloneSharing(flags uintptr, stack *uintptr, pidfd *int32) (pid, errno uintptr)
TEXT ·cloneSharing(SB), NOSPLIT, $0-40
	MOVQ	flags+0(FP), DI
	MOVQ	stack+8(FP), SI
	MOVQ	pidfd+16(FP), DX
	XORL	R10, R10
	XORL	R8, R8
	MOVL	$56, AX	// clone
	SYSCALL
	CMPQ	AX, $0xfffffffffffff001
	JLS	ok
	NEGQ	AX
	MOVQ	AX, errno+32(FP)
	MOVQ	$0, pid+24(FP)
	RET
ok:
	TESTQ	AX, AX
	JEQ	child
	MOVQ	AX, pid+24(FP)
	MOVQ	$0, errno+32(FP)
	RET
child:
	// On its own stack, on top of which is the argument. It does not come back.
	XORL	BP, BP
	CALL	·liveOn(SB)
	INT	$3
