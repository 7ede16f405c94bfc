//go:build !purego

#include "textflag.h"

// Kernels for NEON, in the order of operations that the package comment fixes: 64
// lanes in sixteen registers, V0-V15. R0 walks the query, R1 the row.

// FADD4S adds register m to register d in four float32 lanes (FADD Vd.4S, Vd.4S, Vm.4S);
// the Go assembler has no name for it. Checked in tests by running it.
#define FADD4S(m, d) WORD $(0x4E20D400 | (m)<<16 | (d)<<5 | (d))

// ZERON clears four registers of lanes.
#define ZERON(a, b, c, d) \
	VEOR a.B16, a.B16, a.B16 \
	VEOR b.B16, b.B16, b.B16 \
	VEOR c.B16, c.B16, c.B16 \
	VEOR d.B16, d.B16, d.B16

// QUARTERN adds 16 elements of the row, times the query, to four registers of lanes.
#define QUARTERN(acc0, acc1, acc2, acc3) \
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4] \
	VLD1.P 64(R1), [V20.S4, V21.S4, V22.S4, V23.S4] \
	VFMLA V20.S4, V16.S4, acc0.S4 \
	VFMLA V21.S4, V17.S4, acc1.S4 \
	VFMLA V22.S4, V18.S4, acc2.S4 \
	VFMLA V23.S4, V19.S4, acc3.S4

// STEPN adds four of the R2 elements left, or leaves for part when fewer are left.
#define STEPN(acc, part) \
	CMP $4, R2 \
	BLT part \
	VLD1.P 16(R0), [V18.S4] \
	VLD1.P 16(R1), [V19.S4] \
	VFMLA V19.S4, V18.S4, acc.S4 \
	SUB $4, R2, R2

// PARTN adds the last 0-3 elements, held with zeros in V16 and V17, and makes both 0,
// so that the registers behind get 0*0 as in the other kernels.
#define PARTN(acc) \
	VFMLA V17.S4, V16.S4, acc.S4 \
	VEOR V16.B16, V16.B16, V16.B16 \
	VEOR V17.B16, V17.B16, V17.B16

// func dotRowsNEON(query *float32, n int, rows *float32, stride int, out *float32, count int)
//
// n and count are positive.
TEXT ·dotRowsNEON(SB), NOSPLIT, $0-48
	MOVD query+0(FP), R8
	MOVD n+8(FP), R9
	MOVD rows+16(FP), R10
	MOVD stride+24(FP), R11
	MOVD out+32(FP), R12
	MOVD count+40(FP), R13
	LSL  $2, R11, R11

row:
	MOVD R8, R0
	MOVD R10, R1
	LSR  $6, R9, R3
	AND  $63, R9, R2
	ZERON(V0, V1, V2, V3)
	ZERON(V4, V5, V6, V7)
	ZERON(V8, V9, V10, V11)
	ZERON(V12, V13, V14, V15)
	CBZ  R3, tail

block:
	// One page ahead, into the second level, read once; a prefetch cannot fault.
	PRFM 4096(R1), PLDL2STRM
	PRFM 4160(R1), PLDL2STRM
	PRFM 4224(R1), PLDL2STRM
	PRFM 4288(R1), PLDL2STRM
	QUARTERN(V0, V1, V2, V3)
	QUARTERN(V4, V5, V6, V7)
	QUARTERN(V8, V9, V10, V11)
	QUARTERN(V12, V13, V14, V15)
	SUBS $1, R3, R3
	BNE  block

tail:
	CBZ  R2, fold

	// V16 and V17: the last n%4 elements of query and row, then zeros.
	AND  $60, R2, R4
	ADD  R4<<2, R0, R5
	ADD  R4<<2, R1, R6
	AND  $3, R2, R4
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	CBZ  R4, steps
	VLD1.P 4(R5), V16.S[0]
	VLD1.P 4(R6), V17.S[0]
	SUBS $1, R4, R4
	BEQ  steps
	VLD1.P 4(R5), V16.S[1]
	VLD1.P 4(R6), V17.S[1]
	SUBS $1, R4, R4
	BEQ  steps
	VLD1.P 4(R5), V16.S[2]
	VLD1.P 4(R6), V17.S[2]

steps:
	STEPN(V0, part0)
	STEPN(V1, part1)
	STEPN(V2, part2)
	STEPN(V3, part3)
	STEPN(V4, part4)
	STEPN(V5, part5)
	STEPN(V6, part6)
	STEPN(V7, part7)
	STEPN(V8, part8)
	STEPN(V9, part9)
	STEPN(V10, part10)
	STEPN(V11, part11)
	STEPN(V12, part12)
	STEPN(V13, part13)
	STEPN(V14, part14)
	B    part15

part0:
	PARTN(V0)

part1:
	PARTN(V1)

part2:
	PARTN(V2)

part3:
	PARTN(V3)

part4:
	PARTN(V4)

part5:
	PARTN(V5)

part6:
	PARTN(V6)

part7:
	PARTN(V7)

part8:
	PARTN(V8)

part9:
	PARTN(V9)

part10:
	PARTN(V10)

part11:
	PARTN(V11)

part12:
	PARTN(V12)

part13:
	PARTN(V13)

part14:
	PARTN(V14)

part15:
	PARTN(V15)

fold:
	// In halves: 32, 16, 8 and 4 lanes by register, then 2 and 1 inside V0.
	FADD4S(8, 0)
	FADD4S(9, 1)
	FADD4S(10, 2)
	FADD4S(11, 3)
	FADD4S(12, 4)
	FADD4S(13, 5)
	FADD4S(14, 6)
	FADD4S(15, 7)
	FADD4S(4, 0)
	FADD4S(5, 1)
	FADD4S(6, 2)
	FADD4S(7, 3)
	FADD4S(2, 0)
	FADD4S(3, 1)
	FADD4S(1, 0)
	VEXT $8, V0.B16, V0.B16, V1.B16
	FADD4S(1, 0)
	VMOV V0.S[1], V1.S[0]
	FADDS F1, F0, F0
	FMOVS.P F0, 4(R12)
	ADD  R11, R10, R10
	SUBS $1, R13, R13
	BNE  row
	RET

// func streamNEON(p *float32, n int) float32
//
// Sequential reads, each line added once; n is a positive multiple of 128.
TEXT ·streamNEON(SB), NOSPLIT, $0-20
	MOVD p+0(FP), R0
	MOVD n+8(FP), R2
	ZERON(V0, V1, V2, V3)
	ZERON(V4, V5, V6, V7)

loop:
	PRFM 4096(R0), PLDL2STRM
	PRFM 4160(R0), PLDL2STRM
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R0), [V20.S4, V21.S4, V22.S4, V23.S4]
	FADD4S(16, 0)
	FADD4S(17, 1)
	FADD4S(18, 2)
	FADD4S(19, 3)
	FADD4S(20, 4)
	FADD4S(21, 5)
	FADD4S(22, 6)
	FADD4S(23, 7)
	SUBS $32, R2, R2
	BNE  loop
	FADD4S(4, 0)
	FADD4S(5, 1)
	FADD4S(6, 2)
	FADD4S(7, 3)
	FADD4S(2, 0)
	FADD4S(3, 1)
	FADD4S(1, 0)
	VEXT $8, V0.B16, V0.B16, V1.B16
	FADD4S(1, 0)
	VMOV V0.S[1], V1.S[0]
	FADDS F1, F0, F0
	FMOVS F0, ret+16(FP)
	RET
